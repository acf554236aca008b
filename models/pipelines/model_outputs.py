"""The outputs of a model, as references in a pipeline name them, with their kinds."""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from modstream.models.pipelines.kinds import ValueKind, common_kind, kind_of
from modstream.models.schema.card import ModelCard, Task
from modstream.models.schema.columns import Scalar

ANY = "*"
"""Stands for names that a card does not list."""
OutputKinds = dict[str, ValueKind]


def is_usable(card: ModelCard) -> bool:
    """Return whether a model can be a step: it takes rows, and has one output for each."""
    return card.task in _BY_TASK


def output_kinds(card: ModelCard) -> OutputKinds:
    """Return the kind of each output of a usable model; `distances.*` stands for any such name."""
    return _BY_TASK[card.task](card)


def find_kind(kinds: Mapping[str, ValueKind], field: str) -> ValueKind | None:
    """Return the kind of an output, or None if there is no such output."""
    found = kinds.get(field)
    prefix, dot, _ = field.partition(".")
    return kinds.get(f"{prefix}.{ANY}") if found is None and dot else found


def _classification(card: ModelCard) -> OutputKinds:
    classes = card.classes or (False, True)
    if card.task == "binary" and card.scores == "probability":
        return {"probability": "float"}
    label: OutputKinds = {"label": _kind_of_all(classes)}
    margin: OutputKinds = {"margin": "float"}
    if card.scores == "none":
        return label
    if card.task == "binary":
        return label | margin
    name = "probabilities" if card.scores == "probability" else "margins"
    kinds: OutputKinds = {str(one): "float" for one in classes}
    return label | _mapping(name, kinds)


def _clustering(card: ModelCard) -> OutputKinds:
    label: OutputKinds = {"label": _kind_of_all(card.classes or (0,))}
    if card.scores == "none":
        return label
    name = "probabilities" if card.scores == "probability" else "distances"
    return label | _mapping(name, {ANY: "float"})


def _multioutput(card: ModelCard) -> OutputKinds:
    if card.task == "multioutput_regression":
        return _mapping("values", {target.name: "float" for target in card.targets})
    return _mapping(
        "labels",
        {target.name: _kind_of_all(target.classes or (False, True)) for target in card.targets},
    )


def _mapping(name: str, kinds: Mapping[str, ValueKind]) -> OutputKinds:
    parts: OutputKinds = {f"{name}.{part}": kind for part, kind in kinds.items()}
    whole: OutputKinds = {name: "mapping"}
    return whole | parts


def _kind_of_all(values: Iterable[Scalar]) -> ValueKind:
    kinds = list(map(kind_of, values))
    return common_kind(kinds, "the classes") if "string" not in kinds else "string"


_BY_TASK: Mapping[Task, Callable[[ModelCard], OutputKinds]] = MappingProxyType(
    {
        "binary": _classification,
        "multiclass": _classification,
        "regression": lambda _: {"value": "float"},
        "anomaly": lambda _: {"score": "float"},
        "clustering": _clustering,
        "multioutput_regression": _multioutput,
        "multioutput_classification": _multioutput,
        "transformation": lambda _: _mapping("features", {ANY: "float"}),
    }
)
