"""What a learner knew at an earlier moment."""

import numpy as np
import pytest

from modstream.models.errors import ArtifactTooLarge
from modstream.models.schema.input_schema import Batch
from modstream.processors.promote.state_history import MINUTE_MS, Past


class Says:
    """A model that answers all rows with one number, which it learns in place."""

    def __init__(self, number):
        self.number = number

    def learn(self, _batch, labels):
        self.number = labels[-1]

    def copy(self):
        return Says(self.number)

    def predict(self, batch):
        return np.full(batch.size, self.number)


@pytest.fixture
def past():
    past = Past(every=10 * MINUTE_MS, kept=3)
    for minute in range(0, 50, 5):
        past.keep(minute * MINUTE_MS, Says(float(minute)))
    return past


def batch(size):
    return Batch({"x": np.zeros(size)}, size)


def test_a_row_is_answered_by_what_was_known_when_it_was_asked(past):
    times = [45 * MINUTE_MS, 29 * MINUTE_MS, 30 * MINUTE_MS, 41 * MINUTE_MS]

    assert past.answers(batch(4), times).tolist() == [40.0, 20.0, 30.0, 40.0]


def test_what_is_older_than_all_that_is_kept_is_answered_by_the_oldest(past):
    assert past.answers(batch(1), [0]).tolist() == [20.0]


def test_what_is_learned_later_does_not_change_what_was_known():
    past, model = Past(), Says(1.0)
    past.keep(0, model)
    model.learn(batch(1), [2.0])

    assert past.answers(batch(1), [5]).tolist() == [1.0]


def test_a_model_too_large_to_be_copied_is_asked_as_it_stands():
    class Large(Says):
        def copy(self):
            raise ArtifactTooLarge(2, 1)

    past = Past()
    past.keep(0, Large(3.0))

    assert past.answers(batch(1), [5]).tolist() == [3.0]


def test_what_was_learned_after_a_time_is_forgotten_but_for_the_oldest_state(past):
    past.forget(30 * MINUTE_MS)
    assert past.answers(batch(1), [45 * MINUTE_MS]).tolist() == [30.0]

    past.forget(0)
    assert past.answers(batch(1), [45 * MINUTE_MS]).tolist() == [20.0]
