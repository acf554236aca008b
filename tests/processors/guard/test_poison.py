"""Nine kinds of bad rows among good ones: what they do to a model with and without the guard."""

import json
import math
from collections import Counter
from random import Random

import numpy as np
import pytest

from modstream.broker.wire.codec import decode, encode
from modstream.broker.wire.contracts import Feedback, Quarantined, Scored
from modstream.broker.wire.records import Record
from modstream.broker.wire.topics import Topics
from modstream.models.evaluation.metrics import auc
from modstream.models.schema.input_schema import Feature, InputSchema
from modstream.processors.learn.learner import Learner
from tests.processors.small_fixtures import river

TOPICS = Topics("s")
SCHEMA = InputSchema(
    features=(
        Feature(name="distance", kind="float", low=-1e6, high=1e6),
        Feature(name="hour", kind="float", low=-1e6, high=1e6),
    )
)
GOOD, EACH = 1000, 12
"""Good rows, and bad ones of each kind."""
BEFORE = 1_700_000_000_000


def good(random):
    distance, hour = random.gauss(1000.0, 300.0), random.gauss(14.0, 4.0)
    chance = 1 / (1 + math.exp(-((distance - 1000) / 300 + (hour - 14) / 4) * 2))
    return {"distance": distance, "hour": hour}, random.random() < chance


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
"""Each kind with the rule that finds it."""


def feedback(number, name, row, label, at=BEFORE):
    """A feedback record, however broken what it says is."""
    document = json.loads(
        encode(
            Feedback(
                id=name,
                label=True,
                features={},
                predictions=(Scored(model="m", version=1, outputs={"probability": 0.5}),),
                event_time=BEFORE,
                label_time=BEFORE,
            )
        )
    )
    document |= {"features": row, "label": label, "event_time": at}
    return Record("s.feedback", 0, number, b"k", json.dumps(document).encode())


def mixture(seed):
    """Rows as (kind or None, row, label), and their records: bad ones anywhere among good ones."""
    random = Random(seed)
    kinds = [None] * GOOD + [kind for kind in KINDS for _ in range(EACH)]
    random.shuffle(kinds)
    rows, records, names = [], [], ["nobody"]
    for number, kind in enumerate(kinds):
        row, label = good(random)
        name = f"r{number}"
        if kind is None:
            names.append(name)
        else:
            row, label = KINDS[kind][1](row, label)
        if kind == "duplicate id":
            name = random.choice(names[1:] or names)
        at = -5 if kind == "negative time" else BEFORE
        rows.append((kind, row, label))
        records.append(feedback(number, name, row, label, at))
    return rows, records


def exam(seed=99, size=2000):
    random = Random(seed)
    rows, labels = zip(*(good(random) for _ in range(size)), strict=True)
    return SCHEMA.batch(rows).batch, np.array(labels, dtype=float)


def score(runtime):
    batch, labels = exam()
    answers = runtime.predict(batch)
    return auc(labels, np.nan_to_num(answers, nan=0.5))


def learned(records, size=100):
    loaded = river(schema=SCHEMA)
    pupil = Learner(loaded.card, loaded.runtime, TOPICS)
    refused = []
    for start in range(0, len(records), size):
        refused += pupil.absorb(records[start : start + size])
    return pupil, [decode(Quarantined, out.value) for out in refused]


def unguarded(rows):
    """What a plain loop over the same rows comes to; what raises is skipped."""
    runtime = river(schema=SCHEMA).runtime
    for _, row, label in rows:
        try:
            runtime._model.learn_one(row, label)
        except (TypeError, ValueError, OverflowError, ArithmeticError):
            continue
    return runtime


def test_nine_kinds_of_bad_rows_cost_a_guarded_model_nothing_and_ruin_an_unguarded_one(capsys):
    rows, records = mixture(seed=5)
    clean = learned([record for (kind, *_), record in zip(rows, records, strict=True) if not kind])
    guarded, refused = learned(records)

    scores = [score(clean[0].runtime), score(guarded.runtime), score(unguarded(rows))]
    with capsys.disabled():
        told = "AUC clean {:.4f}, guarded {:.4f}, unguarded {:.4f}".format(*scores)
        print(f"\n{told}")  # noqa: T201 - what the run came to

    named = {rows[told.source.offset][0]: told.rule for told in refused}
    assert named == {kind: rule for kind, (rule, _) in KINDS.items()}
    assert Counter(rows[told.source.offset][0] for told in refused) == dict.fromkeys(KINDS, EACH)
    assert scores[0] - scores[1] <= 0.005
    assert scores[0] > 0.85
    assert scores[2] < 0.6


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_bad_row_is_found_by_its_rule_among_as_few_as_a_hundred_good_ones(kind):
    rows, records = mixture(seed=8)
    fine = [at for at, (named, *_) in enumerate(rows) if named is None]
    bad = next(at for at, (named, *_) in enumerate(rows) if named == kind and at > fine[100])

    _, refused = learned([records[at] for at in [*(at for at in fine if at < bad), bad]], size=1)

    assert [(told.source.offset, told.rule) for told in refused] == [(bad, KINDS[kind][0])]
