"""What a mean costs: its artifact, its publication, its load in a worker, and its predictions.

The parts are those of the demo's family: an online model, and boosting that has features of the
stream, too. The rows are drawn at random: the figures depend on sizes, not on what was learned.

    python -m bench.mean_versions
"""

from collections.abc import Callable
from datetime import UTC, datetime
from statistics import median
from time import process_time

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from modstream.models.examples.flights import (
    FLIGHT_SCHEMA,
    boosted_pipeline,
    flight_schema,
    online_pipeline,
)
from modstream.models.importers.onnx_export import to_onnx
from modstream.models.runtimes.mean.artifact import MeanPart, mean_spec, pack
from modstream.models.runtimes.river.artifact import pack as pack_river
from modstream.models.runtimes.runtime import Runtime, load
from modstream.models.schema.artifact import Artifact
from modstream.models.schema.card import ModelCard
from modstream.models.schema.input_schema import Batch, InputSchema

STREAM_FEATURES = tuple(f"late_{number}" for number in range(20))
ROWS, BATCH_ROWS, ROUNDS = 20_000, 500, 7
CARRIERS, AIRPORTS, DESTINATIONS = 15, 3, 100


def draw_rows(size: int) -> pd.DataFrame:
    """Return rows of flights with as many values of each string as the real ones have.

    All numbers have a float32, so that the graph compares them as the original does.
    """
    rng = np.random.default_rng(0)
    names = (*STREAM_FEATURES, *FLIGHT_SCHEMA.names)
    drawn = rng.normal(size=(size, len(names))).astype(np.float32).astype(np.float64)
    table = pd.DataFrame(drawn, columns=list(names))
    for name, count in (("carrier", CARRIERS), ("origin", AIRPORTS), ("dest", DESTINATIONS)):
        table[name] = [f"{name}{value}" for value in rng.integers(count, size=size)]
    table["hour"] = rng.integers(24, size=size).astype(float)
    table["day_of_week"] = rng.integers(7, size=size).astype(float)
    table["late"] = rng.random(size) < 1 / (1 + np.exp(-table["late_0"] - table["temp"]))
    return table


def card_of(runtime: str, schema: InputSchema, artifact: Artifact) -> ModelCard:
    """Return the card of a binary model of flights."""
    return ModelCard(
        name="online", version=1, runtime=runtime, task="binary", classes=(False, True),
        input_schema=schema, sha256=artifact.sha256, size=artifact.size, created=datetime.now(UTC),
    )  # fmt: skip


def make_parts(table: pd.DataFrame, schema: InputSchema, batch: Batch) -> list[MeanPart]:
    """Fit the online and the boosted model, and return them as parts."""
    names = list(schema.names)
    boosted = boosted_pipeline(STREAM_FEATURES).fit(table[names], table["late"].astype(int))
    onnx = Artifact(to_onnx(boosted, schema, batch))
    model = online_pipeline()
    own = table[list(FLIGHT_SCHEMA.names)].to_dict("records")
    for row, label in zip(own, table["late"].tolist(), strict=True):
        model.learn_one(row, label)
    river = Artifact(pack_river(model))
    return [
        MeanPart(card_of("river", schema, river), river.content),
        MeanPart(card_of("onnx", schema, onnx), onnx.content),
    ]


def measure(work: Callable[[], object]) -> float:
    """Return the median processor time of some rounds, in ms."""
    times = []
    for _ in range(ROUNDS):
        start = process_time()
        work()
        times.append(1000 * (process_time() - start))
    return median(times)


def main() -> None:
    """Print the figures."""
    table, schema = draw_rows(ROWS), flight_schema(STREAM_FEATURES)
    head = table[list(schema.names)].head(BATCH_ROWS)
    rows = [dict(zip(schema.names, row, strict=True)) for row in head.itertuples(index=False)]
    batch = schema.parse_rows(rows).batch
    parts = make_parts(table, schema, batch)
    artifact = Artifact(pack(parts))
    card = mean_spec("online", parts).make_card(2, artifact)
    runtimes: dict[str, tuple[ModelCard, Artifact]] = {
        "online part": (parts[0].card, Artifact(parts[0].content)),
        "boosted part": (parts[1].card, Artifact(parts[1].content)),
        "mean": (card, artifact),
    }
    found = Table("", "KiB", "load, ms", f"{BATCH_ROWS} rows, ms")
    for name, (one, content) in runtimes.items():
        runtime = load(content, one)
        if not isinstance(runtime, Runtime):
            raise SystemExit(f"{name} predicts no array")
        loading = measure(lambda one=one, content=content: load(content, one))  # type: ignore[misc]
        predicting = measure(lambda runtime=runtime: runtime.predict(batch))  # type: ignore[misc]
        found.add_row(name, f"{content.size / 1024:.0f}", f"{loading:.1f}", f"{predicting:.2f}")
    console = Console()
    console.print(found)
    console.print(f"packed in {measure(lambda: pack(parts)):.1f} ms")


if __name__ == "__main__":
    main()
