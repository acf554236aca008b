"""Checks that an ONNX artifact is self-contained: it must not refer to files.

External data can hide in dense and sparse initializers, in attributes of Constant nodes, in
subgraphs and in local functions, and ONNX's own checker does not cover all of them. The check
therefore visits every message of the protobuf instead of a list of known places.
Compare CVE-2022-25882, CVE-2024-27318 and CVE-2026-27489.
"""

from collections.abc import Iterator
from functools import partial
from typing import cast

from google.protobuf.message import DecodeError, Message
from onnx import ModelProto, TensorProto

from modstream.models.errors import ExternalData, UnreadableArtifact
from modstream.models.runtimes.library_errors import translate_library_errors
from modstream.models.schema.artifact import check_artifact_size

NOT_ONNX = "it is not an ONNX model, or only a part of one: copy or export it again"


def sanitize_onnx(artifact: bytes) -> bytes:
    """Check an ONNX artifact; return it re-serialized, without the fields that were not checked.

    Raises:
        ArtifactTooLarge: it is larger than the largest artifact allowed.
        ExternalData: a tensor anywhere in it refers to a file.
        UnreadableArtifact: it is not an ONNX model.
    """
    check_artifact_size(len(artifact))
    model = ModelProto()
    try:
        model.ParseFromString(artifact)
    except DecodeError as error:
        raise UnreadableArtifact("onnx", NOT_ONNX) from error
    with translate_library_errors(partial(UnreadableArtifact, "onnx")):
        # Fields unknown to this onnx release cannot be checked, but a newer runtime may use them.
        model.DiscardUnknownFields()
    for message in _messages(model):
        if isinstance(message, TensorProto) and _is_external(message):
            raise ExternalData(message.name)
    if not model.graph.node:
        raise UnreadableArtifact("onnx", f"it has no graph; {NOT_ONNX}")
    return cast(bytes, model.SerializeToString())


def _is_external(tensor: TensorProto) -> bool:
    return tensor.data_location == TensorProto.EXTERNAL or len(tensor.external_data) > 0


def _messages(message: Message) -> Iterator[Message]:
    """Yield a protobuf message and every message inside it."""
    yield message
    for field, value in message.ListFields():
        if field.message_type is not None:
            for child in [value] if isinstance(value, Message) else value:
                yield from _messages(child)
