"""Fences stand where a version begins to answer: once each, and again after an abort."""

from collections import Counter

import pytest

from modstream.broker.wire.codec import decode, encode
from modstream.broker.wire.contracts import Fence, Request, Tensor
from modstream.broker.wire.topics import Topics
from modstream.processors.predict import version_markers as room
from modstream.processors.predict.handler import Predict
from modstream.processors.predict.model_resolver import PredictSettings
from modstream.processors.predict.version_markers import Fences
from tests.processors.small_fixtures import Shelf, fussy, record, river

TOPICS = Topics("s")
GOOD = {"x": 1.5, "city": "LGA"}


class Worker:
    """A handler, its shelf and how often it was given each partition; keeps what it fenced."""

    def __init__(self, *models):
        self.shelf = Shelf({loaded.card.name: loaded for loaded in models})
        self.tenures = Counter()
        route = tuple(loaded.card.name for loaded in models)
        fences = Fences(TOPICS.fences, lambda home: self.tenures[home.partition])
        self.predict = Predict(TOPICS, self.shelf, PredictSettings(route), fences=fences)
        self.outgoing = []

    def take(self, *offsets, partition=2, **request):
        """Answer a batch; returns the fences as (model, ref, version, partition, offset)."""
        asked = {"features": GOOD, **request}
        batch = [
            record(encode(Request(id=f"r-{offset}", **asked)), offset, partition=partition)
            for offset in offsets
        ]
        return self.answer(batch)

    def answer(self, batch):
        self.outgoing = self.predict(batch)
        found = [decode(Fence, o.value) for o in self.outgoing if o.topic == TOPICS.fences]
        return [(f.model, f.ref, f.version, f.source.partition, f.source.offset) for f in found]

    def swap(self, loaded):
        self.shelf.models[loaded.card.name] = loaded


def test_a_version_is_fenced_where_it_first_answers_in_each_partition():
    worker = Worker(river("m"))

    assert worker.take(40, 41, 42) == [("m", "champion", 1, 2, 40)]
    assert worker.take(43, 44) == []
    assert worker.take(7, partition=0) == [("m", "champion", 1, 0, 7)]


def test_a_fence_names_the_artifact_and_has_the_key_of_the_answer_that_it_stands_beside():
    worker = Worker(river("m"))

    worker.take(40, 41)

    answer, fence, _ = worker.outgoing
    assert fence.key == answer.key
    card = worker.shelf.models["m"].card
    told = decode(Fence, fence.value)
    assert (told.sha256, told.parent, told.source.topic) == (card.sha256, None, "s.requests")


def test_a_swap_and_a_swap_back_are_both_fenced():
    old, new = river("m", 1), river("m", 2)
    worker = Worker(old)

    found = [*worker.take(0, 1)]
    for loaded, offset in ((new, 2), (new, 3), (old, 4), (old, 5)):
        worker.swap(loaded)
        found += worker.take(offset)

    assert [(version, offset) for _, _, version, _, offset in found] == [(1, 0), (2, 2), (1, 4)]


def test_models_and_references_have_fences_of_their_own():
    worker = Worker(river("a"), river("b"))

    assert worker.take(0) == [("a", "champion", 1, 2, 0), ("b", "champion", 1, 2, 0)]
    assert worker.take(1, model="b", version=1) == [("b", 1, 1, 2, 1)]
    assert worker.take(2, 3) == []


def test_a_batch_that_was_aborted_is_fenced_again_by_what_answers_it_now():
    worker = Worker(river("m", 1))
    worker.take(0, 1)
    worker.swap(river("m", 2))
    worker.take(5, 6)

    assert worker.take(2, 3, 5, 6) == [("m", "champion", 2, 2, 2)]
    assert worker.take(7) == []


def test_a_partition_that_somebody_else_had_meanwhile_is_fenced_again():
    worker = Worker(river("m"))
    worker.take(0)
    worker.take(0, partition=1)

    worker.tenures[2] += 1

    assert worker.take(9) == [("m", "champion", 1, 2, 9)]
    assert worker.take(9, partition=1) == []


def test_only_what_a_version_answered_is_fenced():
    worker = Worker(fussy(hates=13))
    rows = [{"a": 1, "b": 666}, {"a": 13, "b": 0}, {"a": 2, "b": 0}]

    found = worker.answer(
        [record(encode(Request(id=f"{n}", features=row)), n) for n, row in enumerate(rows)]
    )

    assert found == [("fussy", "champion", 1, 2, 2)]


def test_the_first_of_requests_of_several_forms_is_fenced_too():
    worker = Worker(fussy(hates=13))
    tensor = Tensor(name="x", shape=(1, 2), datatype="FP64", data=[1.0, 2.0])
    forms = [Request(id="t", inputs=(tensor,)), Request(id="r", features={"a": 1, "b": 2})]

    found = worker.answer([record(encode(form), n) for n, form in enumerate(forms)])

    assert min(offset for *_, offset in found) == 0
    assert worker.take(2, features={"a": 1, "b": 2}) == []


def test_what_was_forgotten_is_fenced_again(monkeypatch):
    monkeypatch.setattr(room, "REMEMBERED", 1)
    worker = Worker(river("a"), river("b"))

    first, second = worker.take(0), worker.take(1)

    assert len(first) == len(second) == 2


@pytest.mark.parametrize("aborted", [False, True])
def test_the_same_version_number_with_another_artifact_is_another_version(aborted):
    worker = Worker(river("m", 1))
    worker.take(0)
    loaded = river("m", 1)
    worker.swap(type(loaded)(loaded.card.model_copy(update={"sha256": "0" * 64}), loaded.runtime))

    assert worker.take(0 if aborted else 1) == [("m", "champion", 1, 2, 0 if aborted else 1)]
