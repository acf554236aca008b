"""A small learner, and feedback for it."""

from random import Random

from modstream.broker.wire.codec import encode
from modstream.broker.wire.contracts import Feedback, JoinedPrediction
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import Topics
from modstream.models.schema.input_schema import Feature, InputSchema
from modstream.processors.learn.learner import Learner
from tests.processors.small_fixtures import river_model

TOPICS = Topics("s")
SCHEMA_XY = InputSchema(
    features=tuple(Feature(name=name, kind="float", low=-100, high=100) for name in "xy")
)


def feedback(number, features, label, partition=0, **fields):
    message = {
        "id": f"id-{number}",
        "label": label,
        "features": features,
        "predictions": (JoinedPrediction(model="m", version=1, outputs={"probability": 0.5}),),
        "event_time": number,
        "label_time": number + 10,
        **fields,
    }
    value = encode(Feedback.model_construct(schema_version=1, **message))
    return Record("s.feedback", partition, number, b"k", value)


def labelled_stream(count, seed=0):
    """Return feedback whose label is the sign of x + y."""
    rng = Random(seed)
    rows = [{"x": rng.gauss(0, 1), "y": rng.gauss(0, 1)} for _ in range(count)]
    return [feedback(n, row, row["x"] + row["y"] > 0) for n, row in enumerate(rows)]


def make_learner(**fields):
    loaded = river_model(schema=SCHEMA_XY)
    return Learner(loaded.card, loaded.runtime, TOPICS, **fields)


def restart(learner):
    """Return a learner that continues from a snapshot of another one."""
    return Learner(learner.card, learner.runtime.copy(), TOPICS, offsets=dict(learner.offsets))


def predictions_of(learner):
    """Return the learner's predictions for a fixed set of rows."""
    rows = [{"x": float(n % 5 - 2), "y": float(n % 7 - 3)} for n in range(35)]
    return learner.runtime.predict(SCHEMA_XY.parse_rows(rows).batch).tolist()
