"""Earlier states of a learner."""

import numpy as np
import pytest

from modstream.models.errors import ArtifactTooLarge
from modstream.models.schema.input_schema import Batch
from modstream.processors.promote.state_history import MINUTE_MS, StateHistory


class ConstantModel:
    """A model that predicts one number for all rows: the last label that it learned."""

    def __init__(self, number):
        self.number = number

    def learn(self, _batch, labels):
        self.number = labels[-1]

    def copy(self):
        return ConstantModel(self.number)

    def predict(self, batch):
        return np.full(batch.size, self.number)


@pytest.fixture
def history():
    history = StateHistory(interval_ms=10 * MINUTE_MS, max_states=3)
    for minute in range(0, 50, 5):
        history.record(minute * MINUTE_MS, ConstantModel(float(minute)))
    return history


def batch(size):
    return Batch({"x": np.zeros(size)}, size)


def test_a_row_is_predicted_by_the_state_at_its_request(history):
    times = [45 * MINUTE_MS, 29 * MINUTE_MS, 30 * MINUTE_MS, 41 * MINUTE_MS]

    assert history.predict(batch(4), times).tolist() == [40.0, 20.0, 30.0, 40.0]


def test_a_row_older_than_all_states_is_predicted_by_the_oldest(history):
    assert history.predict(batch(1), [0]).tolist() == [20.0]


def test_learning_later_does_not_change_a_recorded_state():
    history, model = StateHistory(), ConstantModel(1.0)
    history.record(0, model)
    model.learn(batch(1), [2.0])

    assert history.predict(batch(1), [5]).tolist() == [1.0]


def test_a_model_too_large_to_be_copied_is_recorded_itself():
    class LargeModel(ConstantModel):
        def copy(self):
            raise ArtifactTooLarge(2, 1)

    history = StateHistory()
    history.record(0, LargeModel(3.0))

    assert history.predict(batch(1), [5]).tolist() == [3.0]


def test_truncation_deletes_later_states_but_keeps_the_oldest(history):
    history.truncate(30 * MINUTE_MS)
    assert history.predict(batch(1), [45 * MINUTE_MS]).tolist() == [30.0]

    history.truncate(0)
    assert history.predict(batch(1), [45 * MINUTE_MS]).tolist() == [20.0]
