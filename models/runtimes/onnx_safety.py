"""ONNX bytes that may be given to a runtime: complete in themselves, no file behind them.

External data can hide in dense and sparse initialisers, in attributes of Constant nodes, in
subgraphs and in local functions, and ONNX's own checker does not look everywhere; therefore the
walk goes through every message of the protobuf rather than through the places known today.
Compare CVE-2022-25882, CVE-2024-27318 and CVE-2026-27489.
"""

from collections.abc import Iterator
from functools import partial
from typing import cast

from google.protobuf.message import Message
from onnx import ModelProto, TensorProto

from modstream.models.errors import ExternalData, UnreadableArtifact
from modstream.models.runtimes.library_errors import translated
from modstream.models.schema.artifact import check_size


def self_contained(artifact: bytes) -> bytes:
    """Check an ONNX artifact and write it anew without any field that was not checked.

    Raises:
        ArtifactTooLarge: it is more than this room handles.
        ExternalData: a tensor anywhere in it refers to a file.
        UnreadableArtifact: it is no ONNX model.
    """
    check_size(len(artifact))
    model = ModelProto()
    with translated(partial(UnreadableArtifact, "onnx")):
        model.ParseFromString(artifact)
        # What this onnx release does not know, it cannot check, but a newer runtime may obey it.
        model.DiscardUnknownFields()
    for message in _messages(model):
        if isinstance(message, TensorProto) and _is_external(message):
            raise ExternalData(message.name)
    if not model.graph.node:
        raise UnreadableArtifact("onnx", "it has no graph")
    return cast(bytes, model.SerializeToString())


def _is_external(tensor: TensorProto) -> bool:
    return tensor.data_location == TensorProto.EXTERNAL or len(tensor.external_data) > 0


def _messages(message: Message) -> Iterator[Message]:
    """Visit a protobuf message and every message inside it."""
    yield message
    for field, value in message.ListFields():
        if field.message_type is not None:
            for child in [value] if isinstance(value, Message) else value:
                yield from _messages(child)
