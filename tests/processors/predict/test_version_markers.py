"""Version markers: one where a version begins to answer, and again after an abort."""

from collections import Counter

import pytest

from modstream.broker.wire.codec import decode, encode
from modstream.broker.wire.contracts import Request, Tensor
from modstream.broker.wire.model_contracts import VersionMarker
from modstream.broker.wire.topics import Topics
from modstream.processors.predict import version_markers
from modstream.processors.predict.handler import request_handler
from modstream.processors.predict.settings import InferenceSettings
from modstream.processors.predict.version_markers import VersionMarkers
from tests.processors.small_fixtures import (
    StubModelProvider,
    make_record,
    rejecting_model,
    river_model,
)

TOPICS = Topics("s")
GOOD = {"x": 1.5, "city": "LGA"}


class Worker:
    """A handler, its models, and how often it was assigned each partition."""

    def __init__(self, *models):
        self.models = StubModelProvider({loaded.card.name: loaded for loaded in models})
        self.epochs = Counter()
        settings = InferenceSettings(tuple(loaded.card.name for loaded in models))
        markers = VersionMarkers(TOPICS.version_markers, lambda one: self.epochs[one.partition])
        self.handle = request_handler(TOPICS, self.models, settings, markers=markers)
        self.produced = []

    def take(self, *offsets, partition=2, **request):
        """Answer a batch, and return the markers as (model, ref, version, partition, offset)."""
        asked = {"features": GOOD, **request}
        batch = [
            make_record(encode(Request(id=f"r-{offset}", **asked)), offset, partition=partition)
            for offset in offsets
        ]
        return self.answer(batch)

    def answer(self, batch):
        self.produced = self.handle(batch).records
        found = [
            decode(VersionMarker, record.value)
            for record in self.produced
            if record.topic == TOPICS.version_markers
        ]
        return [(m.model, m.ref, m.version, m.source.partition, m.source.offset) for m in found]

    def swap(self, loaded):
        self.models.models[loaded.card.name] = loaded


def test_a_version_is_marked_at_its_first_prediction_in_each_partition():
    worker = Worker(river_model("m"))

    assert worker.take(40, 41, 42) == [("m", "champion", 1, 2, 40)]
    assert worker.take(43, 44) == []
    assert worker.take(7, partition=0) == [("m", "champion", 1, 0, 7)]


def test_a_marker_names_the_artifact_and_has_the_key_of_its_prediction():
    worker = Worker(river_model("m"))

    worker.take(40, 41)

    prediction, marker, _ = worker.produced
    assert marker.key == prediction.key
    card = worker.models.models["m"].card
    found = decode(VersionMarker, marker.value)
    assert (found.sha256, found.parent, found.source.topic) == (card.sha256, None, "s.requests")


def test_a_swap_and_a_swap_back_are_both_marked():
    old, new = river_model("m", 1), river_model("m", 2)
    worker = Worker(old)

    found = [*worker.take(0, 1)]
    for loaded, offset in ((new, 2), (new, 3), (old, 4), (old, 5)):
        worker.swap(loaded)
        found += worker.take(offset)

    assert [(version, offset) for _, _, version, _, offset in found] == [(1, 0), (2, 2), (1, 4)]


def test_each_model_and_reference_has_its_own_markers():
    worker = Worker(river_model("a"), river_model("b"))

    assert worker.take(0) == [("a", "champion", 1, 2, 0), ("b", "champion", 1, 2, 0)]
    assert worker.take(1, model="b", version=1) == [("b", 1, 1, 2, 1)]
    assert worker.take(2, 3) == []


def test_an_aborted_batch_is_marked_again_with_the_version_that_answers_it_now():
    worker = Worker(river_model("m", 1))
    worker.take(0, 1)
    worker.swap(river_model("m", 2))
    worker.take(5, 6)

    assert worker.take(2, 3, 5, 6) == [("m", "champion", 2, 2, 2)]
    assert worker.take(7) == []


def test_a_partition_that_was_revoked_in_between_is_marked_again():
    worker = Worker(river_model("m"))
    worker.take(0)
    worker.take(0, partition=1)

    worker.epochs[2] += 1

    assert worker.take(9) == [("m", "champion", 1, 2, 9)]
    assert worker.take(9, partition=1) == []


def test_only_predictions_are_marked():
    worker = Worker(rejecting_model(rejected_value=13))
    rows = [{"a": 1, "b": 666}, {"a": 13, "b": 0}, {"a": 2, "b": 0}]

    found = worker.answer(
        [make_record(encode(Request(id=f"{n}", features=row)), n) for n, row in enumerate(rows)]
    )

    assert found == [("fussy", "champion", 1, 2, 2)]


def test_the_first_of_requests_in_several_formats_is_marked():
    worker = Worker(rejecting_model(rejected_value=13))
    tensor = Tensor(name="x", shape=(1, 2), datatype="FP64", data=[1.0, 2.0])
    forms = [Request(id="t", inputs=(tensor,)), Request(id="r", features={"a": 1, "b": 2})]

    found = worker.answer([make_record(encode(form), n) for n, form in enumerate(forms)])

    assert min(offset for *_, offset in found) == 0
    assert worker.take(2, features={"a": 1, "b": 2}) == []


def test_a_forgotten_reference_is_marked_again(monkeypatch):
    monkeypatch.setattr(version_markers, "MAX_REFS", 1)
    worker = Worker(river_model("a"), river_model("b"))

    first, second = worker.take(0), worker.take(1)

    assert len(first) == len(second) == 2


@pytest.mark.parametrize("aborted", [False, True])
def test_the_same_version_number_with_another_artifact_is_another_version(aborted):
    worker = Worker(river_model("m", 1))
    worker.take(0)
    loaded = river_model("m", 1)
    worker.swap(type(loaded)(loaded.card.model_copy(update={"sha256": "0" * 64}), loaded.runtime))

    assert worker.take(0 if aborted else 1) == [("m", "champion", 1, 2, 0 if aborted else 1)]
