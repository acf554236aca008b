"""Pipelines as the dashboard shows them: their definitions, and what their newest answers tell."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Lock

from modstream.broker.errors import DecodeError
from modstream.broker.wire.codec import decode
from modstream.broker.wire.contracts import Prediction, StepResult
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import Header
from modstream.dashboard.registry_facts import ModelFacts
from modstream.dashboard.snapshots import PipelineView, StepView
from modstream.dashboard.texts import cut
from modstream.models.errors import InvalidPipeline, ModelError
from modstream.models.pipelines.pipeline import Pipeline, parse_pipeline
from modstream.models.pipelines.step_definitions import ModelStep
from modstream.models.pipelines.steps import ParsedStep
from modstream.models.registry.registry import Registry
from modstream.pipelines.layout import kind_of
from modstream.pipelines.svg import as_inline_svg

STEPS = b'"steps":['
"""What an answer of a pipeline has, and no other."""
KEPT_INTERVAL_MS = 2000
"""Time within which only one answer of a version is kept."""
MAX_ANSWER_BYTES = 256 * 1024
MAX_ANSWERS = 50
MAX_DEFINITIONS = 100
"""Number of versions whose definitions are remembered: they never change."""


@dataclass(slots=True)
class NewestAnswers:
    """A fold over predictions that keeps the newest answer of each version of a pipeline."""

    _answers: OrderedDict[bytes, Record] = field(default_factory=OrderedDict)

    def add(self, record: Record) -> None:
        """Add a prediction; it is not decoded."""
        header = record.header(Header.MODEL)
        if header is None or record.value is None:
            return
        known = self._answers.get(header)
        if known is not None and record.timestamp < known.timestamp + KEPT_INTERVAL_MS:
            return
        if len(record.value) > MAX_ANSWER_BYTES or STEPS not in record.value:
            return
        self._answers[header] = record
        self._answers.move_to_end(header)
        if len(self._answers) > MAX_ANSWERS:
            self._answers.popitem(last=False)

    def get(self, model: str, version: int) -> Record | None:
        """Return the newest answer of a version that is known."""
        return self._answers.get(f"{model}/{version}".encode())


class PipelineDefinitions:
    """The definitions of published pipelines, from the registry; safe for several threads."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._known: OrderedDict[tuple[str, int], Pipeline | None] = OrderedDict()
        self._lock = Lock()

    def get(self, name: str, version: int, *, is_available: bool = True) -> Pipeline | None:
        """Return the definition of a version of a pipeline; None if it cannot be read now.

        If the registry is known not to be available, only remembered ones are returned.
        """
        with self._lock:
            if (name, version) in self._known or not is_available:
                return self._known.get((name, version))
        found = None
        try:
            found = self._read(name, version)
        except InvalidPipeline:
            pass  # By a later version of modstream, perhaps: it stays unknown.
        except ModelError:
            return None
        with self._lock:
            self._known[name, version] = found
            if len(self._known) > MAX_DEFINITIONS:
                self._known.popitem(last=False)
        return found

    def _read(self, name: str, version: int) -> Pipeline:
        card = self._registry.card(name, version)
        return parse_pipeline(self._registry.artifact(card).content, name)


def pipeline_view(
    pipeline: Pipeline,
    version: int,
    models: Mapping[str, ModelFacts],
    answer: Record | None,
) -> PipelineView:
    """Return a version of a pipeline, with the versions of its models and its newest answer."""
    results = {} if answer is None else step_results(answer)
    steps = tuple(step_view(step, models, results.get(step.name)) for step in pipeline.steps)
    remarks = {step.name: text for step in steps if (text := remark_of(step))}
    drawing = as_inline_svg(pipeline, remarks)
    return PipelineView(version, drawing, steps, answer.timestamp if answer and results else None)


def step_results(answer: Record) -> dict[str, StepResult]:
    """Return what an answer tells of the steps, by their names."""
    try:
        found = decode(Prediction, answer.value)
    except DecodeError:
        return {}
    return {step.name: step for step in found.steps or ()}


def step_view(
    step: ParsedStep, models: Mapping[str, ModelFacts], result: StepResult | None
) -> StepView:
    """Return a step, with the version that it would ask now."""
    definition = step.definition
    model, version = "", None
    if isinstance(definition, ModelStep):
        model, asked = definition.model, definition.version
        facts = models.get(model)
        known = {} if facts is None else facts.aliases
        version = asked if isinstance(asked, int) else known.get(asked)
    return StepView(
        name=cut(step.name),
        kind=cut(kind_of(step)),
        model=cut(model),
        version=version,
        asked=result.version if result else None,
        milliseconds=result.milliseconds if result else None,
        outcome=result.outcome if result else "",
        reason=cut(result.reason or "", 300) if result else "",
    )


def remark_of(step: StepView) -> str:
    """Return what the drawing says of a step, besides its definition."""
    parts = [] if step.version is None else [f"version {step.version}"]
    if step.milliseconds is not None:
        parts.append(f"{step.milliseconds:.3g} ms")
    if step.outcome not in {"", "ok"}:
        parts.append(step.outcome)
    return ", ".join(parts)
