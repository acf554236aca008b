"""Publishing of foreign models: the trial of a version, and only then its alias.

Versions that modstream makes itself (learner, retraining, demo) are published by their producers,
which have predicted with them before.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from modstream.models.errors import TrialFailed
from modstream.models.importers.imported_model import ImportedModel, Samples
from modstream.models.registry.registry import Registry
from modstream.models.schema.artifact import Artifact
from modstream.models.schema.card import ModelCard
from modstream.models.schema.version_spec import VersionSpec
from modstream.models.trial.comparison import largest_difference
from modstream.models.trial.process import TrialProcess
from modstream.models.trial.settings import TrialLimits
from modstream.models.trial.trial import TrialReport
from modstream.registry.events import publish_event
from modstream.settings import Settings

KEPT_SAMPLE_ROWS = 8
"""The sample rows that a card keeps, for warm-ups and as examples."""
MAX_KEPT_CHARACTERS = 100_000
"""Limit for their text; longer rows are left out."""


@dataclass(frozen=True, slots=True)
class TriedModel:
    """A version that has passed its trial and can be published.

    `examples` are pairs of a row and the answer to it. `difference` is the largest difference from
    the original model's outputs, absolute below 1 and relative above; None without an original.
    """

    spec: VersionSpec
    artifact: bytes
    report: TrialReport
    examples: Sequence[tuple[Mapping[str, object], Any]]
    difference: float | None

    @property
    def card(self) -> ModelCard:
        """The card that the version gets, except for its number, time and signature."""
        return self.spec.make_card(1, Artifact(self.artifact))


def try_model(imported: ImportedModel, trials: TrialProcess) -> TriedModel:
    """Try an imported model in a process of its own, as a worker would load and ask it.

    Raises:
        TrialFailed: a worker could not serve it, or it predicts something else than the original.
    """
    spec, content, samples = imported
    artifact = Artifact(content)
    card = spec.make_card(1, artifact)
    rows = spec.sample_rows if samples is None else samples.rows
    report = trials.run(card, artifact, rows)
    difference = None if samples is None else compare(spec.name, samples, report)
    kept = keep_rows(card, rows)
    tried = spec.model_copy(
        update={"trial": report.record(), "sample_rows": spec.sample_rows or tuple(kept)}
    )
    return TriedModel(
        tried, content, report, list(zip(kept, report.answers, strict=False)), difference
    )


def try_published(registry: Registry, card: ModelCard, limits: TrialLimits) -> TrialReport:
    """Try a version that is published already, before an alias moves to it.

    Raises:
        TrialFailed: a worker could not serve it.
        RegistryError: the registry is unavailable or no longer has the artifact.
        ArtifactError: the stored bytes are not the version's artifact.
    """
    artifact = registry.artifact(card)
    with TrialProcess(limits) as trials:
        return trials.run(card, artifact)


class Publication(NamedTuple):
    """A published version; whether it is new, and the version that the alias points at, if any."""

    card: ModelCard
    is_new: bool
    current: int | None


def publish_model(
    settings: Settings, registry: Registry, model: TriedModel, alias: str | None
) -> Publication:
    """Publish a version that has passed its trial, move the alias to it, and announce it.

    If the newest version has the same artifact and description, nothing changes.
    """
    newest = registry.newest(model.spec.name)
    card = registry.publish(model.spec, model.artifact, alias=alias)
    current = None if alias is None else registry.aliases(card.name).get(alias)
    publish_event(settings, card, "publish", alias if current == card.version else None)
    return Publication(card, newest is None or card.version > newest.version, current)


def compare(name: str, samples: Samples, report: TrialReport) -> float | None:
    """Return the largest difference from the original's outputs; None if there are none.

    Raises:
        TrialFailed: the difference of a row is above the tolerance.
    """
    if samples.outputs is None or not report.answers:
        return None
    largest = 0.0
    for row, (expected, found) in enumerate(
        zip(_as_list(samples.outputs), report.answers, strict=True)
    ):
        difference = largest_difference(expected, found)
        if difference > samples.tolerance:
            reason = (
                f"the original predicts {_short(expected)} for sample row {row}, the published"
                f" form {_short(found)}"
            )
            raise TrialFailed(name, reason)
        largest = max(largest, difference)
    return largest


def keep_rows(card: ModelCard, rows: Sequence[Mapping[str, object]]) -> list[dict[str, Any]]:
    """Return the first rows as the model got them, without unknown columns, up to a size."""
    if card.output_form == "tensors":
        return []
    schema = card.input_schema
    kept, characters = [], 0
    for row in schema.raw_rows(schema.parse_rows(rows[:KEPT_SAMPLE_ROWS]).batch):
        characters += len(str(row))
        if characters > MAX_KEPT_CHARACTERS:
            break
        kept.append(row)
    return kept


def _as_list(outputs: Any) -> Sequence[Any]:  # noqa: ANN401 - an array or rows of outputs
    return outputs.tolist() if hasattr(outputs, "tolist") else outputs  # type: ignore[no-any-return]


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:200]}…"
