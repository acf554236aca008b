"""Import of means: several versions, and what each of them predicts, as one model."""

from collections.abc import Sequence
from typing import cast

from modstream.models.errors import OptionNotSupported
from modstream.models.importers.description import NO_DESCRIPTION, ModelDescription
from modstream.models.importers.imported_model import ImportedModel, Samples
from modstream.models.runtimes.mean.artifact import MeanPart, mean_spec, pack
from modstream.models.runtimes.mean.combination import combine
from modstream.models.runtimes.mean.runtime import narrow
from modstream.models.runtimes.runtime import Runtime, load
from modstream.models.schema.artifact import Artifact
from modstream.models.schema.card import ModelCard
from modstream.models.schema.input_schema import Batch
from modstream.models.schema.synthetic import warm_up_batch

SAMPLE_ROWS = 32
TOLERANCE = 1e-6


def import_mean(
    name: str,
    parts: Sequence[MeanPart],
    description: ModelDescription = NO_DESCRIPTION,
    note: str = "",
) -> ImportedModel:
    """Return a mean of versions, with the mean of what they predict for sample rows.

    Parts that learn go on without the mean: it has their states at present.

    Raises:
        NotConvertible: the parts have no mean.
        OptionNotSupported: the description says anything but samples, or a sample does not fit.
        ArtifactError: a part cannot be loaded.
        PredictError: a part cannot predict the rows.
    """
    reason = "the parts of a mean say it"
    description.refuse("task", "scores", "classes", "features", reason=reason)
    content = pack(parts)
    spec = mean_spec(name, parts, note)
    rows = _sample_rows(spec.make_card(1, Artifact(content)), description)
    outputs = [
        cast(Runtime, load(Artifact(part.content), part.card)).predict(
            narrow(rows, part.card.input_schema.names)
        )
        for part in parts
    ]
    expected = combine(spec.task, outputs, [part.weight for part in parts])
    samples = Samples(spec.input_schema.raw_rows(rows), expected, TOLERANCE)
    return ImportedModel(spec, content, samples)


def _sample_rows(card: ModelCard, description: ModelDescription) -> Batch:
    if not description.samples:
        return warm_up_batch(card, SAMPLE_ROWS)
    parsed = card.input_schema.parse_rows(description.samples)
    if parsed.errors:
        row, error = next(iter(parsed.errors.items()))
        raise OptionNotSupported("--sample", f"row {row + 1}: {error}")
    return parsed.batch
