"""Nine kinds of bad rows among good ones: their effect on a model with and without the guard."""

import json
import math
from collections import Counter
from random import Random

import numpy as np
import pytest

from modstream.broker.wire.codec import decode, encode
from modstream.broker.wire.contracts import Feedback, JoinedPrediction, Quarantined
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import Topics
from modstream.models.evaluation.metrics import auc
from modstream.models.schema.input_schema import Feature, InputSchema
from modstream.processors.learn.learner import Learner
from tests.processors.small_fixtures import river_model

TOPICS = Topics("s")
SCHEMA = InputSchema(
    features=(
        Feature(name="distance", kind="float", low=-1e6, high=1e6),
        Feature(name="hour", kind="float", low=-1e6, high=1e6),
    )
)
GOOD_ROWS, BAD_ROWS_PER_KIND = 1000, 12
VALID_TIME = 1_700_000_000_000


def good_row(random):
    distance, hour = random.gauss(1000.0, 300.0), random.gauss(14.0, 4.0)
    probability = 1 / (1 + math.exp(-((distance - 1000) / 300 + (hour - 14) / 4) * 2))
    return {"distance": distance, "hour": hour}, random.random() < probability


KINDS = {
    "NaN": ("not_finite", lambda row, label: ({**row, "hour": math.nan}, label)),
    "inf": ("not_finite", lambda row, label: ({**row, "distance": math.inf}, label)),
    "1e300": ("out_of_range", lambda row, label: ({**row, "hour": 1e300}, label)),
    "None label": ("contract_violated", lambda row, _: (row, None)),
    "string label": ("label_domain", lambda row, _: (row, "late")),
    "10,000 unknown keys": (
        "unknown_features",
        lambda row, label: ({**row, **{f"k{n}": float(n) for n in range(10_000)}}, label),
    ),
    "negative time": ("time", lambda row, label: (row, label)),
    "duplicate id": ("duplicate_id", lambda row, label: (row, not label)),
    "swapped columns": (
        "outlier",
        lambda row, label: ({"distance": row["hour"], "hour": row["distance"]}, label),
    ),
}
"""Each kind of bad row: the rule that rejects it, and a function that makes it of a good row."""


def feedback(number, request_id, row, label, event_time=VALID_TIME):
    """Return a feedback record, even if its content is invalid."""
    document = json.loads(
        encode(
            Feedback(
                id=request_id,
                label=True,
                features={},
                predictions=(JoinedPrediction(model="m", version=1, outputs={"probability": 0.5}),),
                event_time=VALID_TIME,
                label_time=VALID_TIME,
            )
        )
    )
    document |= {"features": row, "label": label, "event_time": event_time}
    return Record("s.feedback", 0, number, b"k", json.dumps(document).encode())


def mixture(seed):
    """Return rows as (kind or None, row, label), good and bad ones mixed, and their records."""
    random = Random(seed)
    kinds = [None] * GOOD_ROWS + [kind for kind in KINDS for _ in range(BAD_ROWS_PER_KIND)]
    random.shuffle(kinds)
    rows, records, good_ids = [], [], ["none"]
    for number, kind in enumerate(kinds):
        row, label = good_row(random)
        request_id = f"r{number}"
        if kind is None:
            good_ids.append(request_id)
        else:
            row, label = KINDS[kind][1](row, label)
        if kind == "duplicate id":
            request_id = random.choice(good_ids[1:] or good_ids)
        event_time = -5 if kind == "negative time" else VALID_TIME
        rows.append((kind, row, label))
        records.append(feedback(number, request_id, row, label, event_time))
    return rows, records


def evaluation_rows(seed=99, size=2000):
    random = Random(seed)
    rows, labels = zip(*(good_row(random) for _ in range(size)), strict=True)
    return SCHEMA.parse_rows(rows).batch, np.array(labels, dtype=float)


def auc_of(runtime):
    batch, labels = evaluation_rows()
    return auc(labels, np.nan_to_num(runtime.predict(batch), nan=0.5))


def learn_guarded(records, size=100):
    """Learn records with the guard; return the learner and its quarantine messages."""
    loaded = river_model(schema=SCHEMA)
    learner = Learner(loaded.card, loaded.runtime, TOPICS)
    rejected = []
    for start in range(0, len(records), size):
        rejected += learner.learn_batch(records[start : start + size])
    return learner, [decode(Quarantined, record.value) for record in rejected]


def learn_unguarded(rows):
    """Learn rows without the guard, skipping those that raise; return the runtime."""
    runtime = river_model(schema=SCHEMA).runtime
    for _, row, label in rows:
        try:
            runtime._model.learn_one(row, label)
        except (TypeError, ValueError, OverflowError, ArithmeticError):
            continue
    return runtime


@pytest.mark.slow
def test_nine_kinds_of_bad_rows_do_not_harm_a_guarded_model_but_ruin_an_unguarded_one(capsys):
    rows, records = mixture(seed=5)
    good = [record for (kind, *_), record in zip(rows, records, strict=True) if not kind]
    clean, _ = learn_guarded(good)
    guarded, messages = learn_guarded(records)

    aucs = [auc_of(clean.runtime), auc_of(guarded.runtime), auc_of(learn_unguarded(rows))]
    with capsys.disabled():
        result = "AUC clean {:.4f}, guarded {:.4f}, unguarded {:.4f}".format(*aucs)
        print(f"\n{result}")  # noqa: T201 - the result of the run

    kinds = [rows[message.source.offset][0] for message in messages]
    rules = {kind: one.rule for kind, one in zip(kinds, messages, strict=True)}
    assert rules == {kind: rule for kind, (rule, _) in KINDS.items()}
    assert Counter(kinds) == dict.fromkeys(KINDS, BAD_ROWS_PER_KIND)
    assert aucs[0] - aucs[1] <= 0.005
    assert aucs[0] > 0.85
    assert aucs[2] < 0.6


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_bad_row_is_rejected_by_its_rule_after_a_hundred_good_rows(kind):
    rows, records = mixture(seed=8)
    good = [at for at, (found, *_) in enumerate(rows) if found is None]
    bad = next(at for at, (found, *_) in enumerate(rows) if found == kind and at > good[100])
    before = [at for at in good if at < bad]

    _, messages = learn_guarded([records[at] for at in [*before, bad]], size=1)

    assert [(one.source.offset, one.rule) for one in messages] == [(bad, KINDS[kind][0])]
