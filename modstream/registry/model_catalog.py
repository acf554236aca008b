"""The published models as the gateway describes them, read from the registry."""

from collections.abc import Callable
from threading import Lock
from time import monotonic
from typing import TypeVar

from modstream.models.errors import ModelError
from modstream.models.registry.errors import ModelNotFound, RegistryUnavailable
from modstream.models.registry.registry import Registry
from modstream.models.schema.card import OUTPUT_NAMES, ModelCard
from modstream.models.schema.feature import Feature
from modstream.producers.gateway.errors import NotServing
from modstream.producers.gateway.protocol.metadata import (
    VARIABLE,
    ModelDescription,
    ModelState,
    TensorDescription,
)

T = TypeVar("T")
TTL_SECONDS = 1.0
"""How long a description is repeated without asking the registry again."""
MAX_CACHED = 1000
OPTIONAL = "optional_inputs"
"""The property of a model with the inputs that the stream has for requests without them."""
DATATYPES = {"float": "FP64", "int": "INT64", "bool": "BOOL", "string": "BYTES"}


def no_names() -> frozenset[str]:
    """Return the features of a stream that computes none."""
    return frozenset()


class RegistryCatalog:
    """Describes models from their cards; thread-safe.

    `read_added` returns the names of the features that the stream adds to requests.
    """

    def __init__(
        self, registry: Registry, read_added: Callable[[], frozenset[str]] = no_names
    ) -> None:
        self._registry = registry
        self._read_added = read_added
        self._cache: dict[tuple[str, int | str], tuple[float, ModelDescription | None]] = {}
        self._lock = Lock()

    def describe(self, model: str, version: int | str) -> ModelDescription | None:
        """Return the description of a version, or of the one behind an alias; None without one.

        Raises:
            NotServing: the registry does not respond.
        """
        key = (model, version)
        with self._lock:
            at, found = self._cache.get(key, (0.0, None))
        if monotonic() - at < TTL_SECONDS:
            return found
        found = translate(lambda: self._describe(model, version))
        with self._lock:
            if len(self._cache) >= MAX_CACHED:
                self._cache.clear()
            self._cache[key] = (monotonic(), found)
        return found

    def index(self) -> list[ModelState]:
        """Return the state of every version that an alias of a published model means.

        Raises:
            NotServing: the registry does not respond.
        """
        return translate(self._index)

    def _describe(self, model: str, version: int | str) -> ModelDescription | None:
        try:
            card = self._registry.card(model, version)
        except ModelNotFound:
            return None
        versions = [card.version] if isinstance(version, int) else self._numbers(model)
        return describe_card(card, tuple(map(str, versions)), self._read_added())

    def _numbers(self, model: str) -> list[int]:
        """Return the versions of a model whose artifacts are still stored."""
        return sorted(self._registry.stored_versions(model))

    def _index(self) -> list[ModelState]:
        states = []
        for name in self._registry.names():
            versions = sorted(set(self._registry.aliases(name).values()))
            states += [ModelState(name, str(version), "READY") for version in versions]
        return states


def translate(read: Callable[[], T]) -> T:
    """Return the result of reading the registry, with its errors translated.

    Raises:
        NotServing: the registry does not respond, or a card cannot be read.
    """
    try:
        return read()
    except RegistryUnavailable as error:
        raise NotServing(f"the model registry does not respond: {error}") from None
    except ModelError as error:
        raise NotServing(str(error)) from None


def describe_card(
    card: ModelCard, versions: tuple[str, ...], added: frozenset[str] = frozenset()
) -> ModelDescription:
    """Return the description of a version in the words of the protocol.

    Its inputs are those that a client must send. Those that the stream adds are a property.
    """
    properties = {"task": card.task, "version": str(card.version), "sha256": card.sha256}
    if card.task == "tensors":
        inputs = [
            TensorDescription(one.name, one.datatype, _shape(one.shape))
            for one in card.input_tensors
        ]
        outputs = [
            TensorDescription(one.name, one.datatype, _shape(one.shape))
            for one in card.output_tensors
        ]
    else:
        features = card.input_schema.features
        inputs = [_input(one) for one in features if one.name not in added]
        optional = [one.name for one in features if one.name in added]
        properties |= {OPTIONAL: ", ".join(optional)} if optional else {}
        outputs = _outputs(card)
    return ModelDescription(
        name=card.name,
        versions=versions,
        platform=f"{card.runtime}_{card.runtime}v1",
        inputs=tuple(inputs),
        outputs=tuple(outputs),
        properties=properties,
    )


def _shape(shape: tuple[int | None, ...]) -> tuple[int, ...]:
    return tuple(VARIABLE if one is None else one for one in shape)


def _input(feature: Feature) -> TensorDescription:
    return TensorDescription(feature.name, DATATYPES[feature.kind], (VARIABLE,))


def _outputs(card: ModelCard) -> list[TensorDescription]:
    """Return the outputs of a task, one row each; those that depend on the row are left out."""
    if card.output_form == "pipeline":
        return [
            TensorDescription(one.name, one.datatype, _shape(one.shape))
            for one in card.output_tensors
        ]
    label = TensorDescription("label", label_datatype(card), (VARIABLE,))
    if card.task in {"multioutput_regression", "multioutput_classification"}:
        return [
            TensorDescription(one.name, "FP64" if not one.classes else "BYTES", (VARIABLE,))
            for one in card.targets
        ]
    if card.output_form == "named":
        return [label]
    name = OUTPUT_NAMES[card.task]
    if card.task == "multiclass":
        return [TensorDescription(name, "FP64", (VARIABLE, len(card.classes))), label]
    if card.task == "forecast":
        period = TensorDescription("period", "INT64", (VARIABLE,))
        return [TensorDescription(name, "FP64", (VARIABLE, VARIABLE)), period]
    return [TensorDescription(name, "FP64", (VARIABLE,))]


def label_datatype(card: ModelCard) -> str:
    """Return the data type of a classifier's labels."""
    kinds = {type(one) for one in card.classes}
    for kind, datatype in ((bool, "BOOL"), (int, "INT64"), (float, "FP64")):
        if kinds == {kind}:
            return datatype
    return "BYTES"
