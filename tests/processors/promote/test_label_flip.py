"""Labels that contradict a model, and labels that do not."""

import numpy as np
import pytest

from modstream.processors.promote.label_flip import Answered, Doubt

LABELS = 20_000


def labelled(rng, said):
    """Labels as a calibrated model says."""
    return (rng.random(len(said)) < said) * 1.0


def turns(doubt, truths, said):
    """The turns, each with the number of its label."""
    each = zip(truths[:, None], said[:, None], strict=True)
    found = [(at, doubt.add(Answered(*one))) for at, one in enumerate(each)]
    return [(at, turn) for at, turn in found if turn is not None]


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def test_labels_that_are_turned_round_are_noticed_within_dozens(rng):
    delays = []
    for _ in range(50):
        said = rng.beta(2, 6, 600)
        truths = labelled(rng, said)
        truths[300:] = 1 - truths[300:]
        delays.append(turns(Doubt(), truths, said)[0][0] - 300)

    assert 10 < np.median(delays) < 60
    assert min(delays) > 0
    assert max(delays) < 150


def test_and_so_is_their_end(rng):
    said = rng.beta(2, 6, 1500)
    truths = labelled(rng, said)
    truths[500:1000] = 1 - truths[500:1000]

    (began, first), (ended, second) = turns(Doubt(), truths, said)

    assert (first.is_turned, second.is_turned) == (True, False)
    assert 500 < began < 650
    assert 1000 < ended < 1150
    assert began - 500 <= first.since <= began


@pytest.mark.parametrize("sure", [1.0, 3.0])
def test_labels_that_come_as_was_said_or_less_surely_raise_no_alarm(rng, sure):
    said = rng.beta(2, 6, LABELS)
    odds = sure * np.log(said / (1 - said))

    assert not turns(Doubt(), labelled(rng, said), 1 / (1 + np.exp(-odds)))


def test_a_storm_in_which_all_are_late_is_no_contradiction(rng):
    doubt, said = Doubt(), rng.beta(2, 6, 2000)
    odds = np.log(said / (1 - said))
    rises = np.clip((np.arange(2000) - 1000) / 200, 0, 1) * 3
    truths = labelled(rng, 1 / (1 + np.exp(-(odds + rises))))

    assert truths[1500:].mean() > 0.7
    assert not turns(doubt, truths, said)


def test_alarms_without_a_cause_are_as_rare_as_promised(rng):
    bound, said = 1000.0, rng.beta(2, 6, LABELS)

    assert len(turns(Doubt(bound), labelled(rng, said), said)) <= 2 * LABELS / bound


def test_an_answer_that_is_none_says_nothing():
    doubt = Doubt()

    assert doubt.add(Answered(np.ones(1000), np.full(1000, np.nan))) is None
    assert doubt == Doubt()


def test_what_is_accepted_contradicts_no_more(rng):
    doubt, said = Doubt(), rng.beta(2, 6, 600)
    truths = labelled(rng, said)
    assert doubt.add(Answered(1 - truths, said)).is_turned

    doubt.accept()

    assert not doubt.is_turned
    assert not turns(doubt, truths[:100], said[:100])
