"""A candidate that is the mean of others: weighed by the gate, promoted, and rolled back to."""

import numpy as np
from river import compose, linear_model, optim

from modstream.models.registry.refs import LAST_GOOD
from modstream.models.runtimes.mean.combination import combine
from modstream.models.runtimes.river.runtime import RiverRuntime
from modstream.processors.promote.champion_challenger import ChampionChallenger
from modstream.processors.promote.gate import PromotionGate
from modstream.processors.promote.mean_candidate import MeanCandidate
from modstream.processors.promote.settings import GateSettings
from modstream.processors.promote.state_rollback import FrozenModel
from tests.processors.promote.synthetic_stream import (
    feedback_records,
    small_learner,
    synthetic_events,
)


class KnowsY:
    """A model that knows one of the two features that the label follows."""

    name = "y"

    def predict(self, batch):
        return 1 / (1 + np.exp(-2 * batch.columns["y"]))

    def snapshot(self):
        return b""


def candidates_of_halves(settings, weights=(1.0, 1.0)):
    """Return a learner of x, which serves, a frozen model of y, and the mean of both."""
    learner = small_learner(0.05)
    model = compose.Select("x") | linear_model.LogisticRegression(optimizer=optim.SGD(0.05))
    learner.restore_state(RiverRuntime(model, learner.card))
    return ChampionChallenger(
        {"learner": learner},
        PromotionGate("learner", settings),
        {"frozen": FrozenModel(learner.card, KnowsY())},
        {"mean": MeanCandidate(("learner", "frozen"), weights)},
    )


def learn(candidates, labels, seed=1):
    records = feedback_records(synthetic_events(seed, labels))
    for start in range(0, labels, 50):
        candidates.learn(records[start : start + 50])


def test_a_mean_that_is_better_than_its_parts_is_promoted():
    candidates = candidates_of_halves(GateSettings())

    learn(candidates, 3000)

    promoted = [one.evidence.candidate for one in candidates.decisions if one.action == "promote"]
    assert promoted == ["mean"]
    assert candidates.gate.champion == "mean"
    assert candidates.gate.tests["frozen"].count > 0


def test_the_mean_is_compared_by_the_mean_of_what_its_parts_would_have_answered():
    candidates = candidates_of_halves(GateSettings(loss="score"), (3.0, 1.0))
    records = feedback_records(synthetic_events(1, 50))

    candidates.learn(records)

    events = [one for one in synthetic_events(1, 50) if one.is_label]
    y = np.array([one.features["y"] for one in events])
    untrained, known = np.full(50, 0.5), 1 / (1 + np.exp(-2 * y))
    expected = combine("binary", [untrained, known], [3, 1])
    labels = np.array([one.label for one in events])
    total = candidates.gate.tests["mean"].challenger_total
    np.testing.assert_allclose(total, np.square(expected - labels).sum())


def test_a_mean_is_not_compared_while_a_part_is_not():
    candidates = candidates_of_halves(GateSettings(loss="score"))
    reversed_classes = candidates.lead.card.model_copy(update={"classes": (True, False)})
    candidates.replace_frozen("frozen", FrozenModel(reversed_classes, KnowsY()))

    learn(candidates, 100)

    assert "mean" not in candidates.gate.tests


def test_a_frozen_candidate_with_a_feature_that_the_lead_lacks_is_not_compared():
    candidates = candidates_of_halves(GateSettings(loss="score"))
    card = candidates.lead.card
    schema = type(card.input_schema).of_floats(["x", "y", "z"])
    card = card.model_copy(update={"input_schema": schema})
    candidates.replace_frozen("frozen", FrozenModel(card, KnowsY()))

    learn(candidates, 100)

    assert not candidates.gate.tests


def test_the_served_version_of_a_mean_becomes_the_last_good_one():
    candidates = candidates_of_halves(GateSettings(stable_after=100))
    served = FrozenModel(candidates.lead.card, KnowsY())
    candidates.means["mean"].published = served
    candidates.appoint("mean")
    records, found = feedback_records(synthetic_events(1, 300)), []
    for start in range(0, 300, 50):
        candidates.learn(records[start : start + 50])
        found.append(candidates.update_last_good())

    assert served in found
    assert candidates.frozen[LAST_GOOD] is served
    assert candidates.checkpoint() is served
