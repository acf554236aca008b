"""A share of the keys goes to the challenger, always the same keys."""

from modstream.broker.wire.codec import decode, encode
from modstream.broker.wire.contracts import Fence, Request
from modstream.broker.wire.topics import Topics
from modstream.models.errors import ModelNotFound
from modstream.processors.predict.handler import Predict
from modstream.processors.predict.model_resolver import PredictSettings
from modstream.processors.predict.traffic_split import CHALLENGER, CHAMPION, alias_for
from modstream.processors.predict.version_markers import Fences
from tests.processors.small_fixtures import answers, record, river


class Aliases:
    """A shelf on which the champion is version 1 and the challenger, if there is one, 2."""

    def __init__(self, *, challenged=True):
        self.held = {CHAMPION: river(version=1)}
        if challenged:
            self.held[CHALLENGER] = river(version=2)

    def get(self, name, ref=CHAMPION):
        if ref not in self.held:
            raise ModelNotFound(name, ref)
        return self.held[ref]


ROW = {"x": 1, "city": "LGA"}
TOPICS = Topics("s")


def asked(features=ROW, **request):
    return [
        record(encode(Request(id=f"{n}", features=features, **request)), offset=n, key=None)
        for n in range(200)
    ]


def versions(shelf, share, **request):
    predict = Predict(TOPICS, shelf, PredictSettings(("m",), challenger_share=share))
    return [answer.version for answer in answers(predict(asked(**request)))]


def fences(shelf, share):
    written = Fences(TOPICS.fences, lambda _home: 1)
    predict = Predict(
        TOPICS, shelf, PredictSettings(("m",), challenger_share=share), fences=written
    )
    found = [one for one in predict(asked()) if one.topic == TOPICS.fences]
    return [(fence.ref, fence.version) for fence in (decode(Fence, one.value) for one in found)]


def test_about_the_share_of_the_keys_goes_to_the_challenger():
    aliases = [alias_for(f"key-{number}".encode(), 0.1) for number in range(10_000)]

    assert 900 < aliases.count(CHALLENGER) < 1100


def test_a_key_that_goes_to_the_challenger_does_so_for_every_larger_share():
    keys = [f"key-{number}".encode() for number in range(1000)]
    few = {key for key in keys if alias_for(key, 0.1) == CHALLENGER}
    more = {key for key in keys if alias_for(key, 0.3) == CHALLENGER}

    assert few < more
    assert {alias_for(key, 0.0) for key in keys} == {CHAMPION}
    assert {alias_for(key, 1.0) for key in keys} == {CHALLENGER}


def test_requests_are_split_by_their_key():
    assert versions(Aliases(), 1.0) == [2] * 200
    assert versions(Aliases(), 0.0) == [1] * 200


def test_who_names_a_model_or_a_version_is_not_split():
    assert set(versions(Aliases(), 1.0, model="m")) == {1}


def test_without_a_challenger_the_champion_answers_all():
    assert versions(Aliases(challenged=False), 1.0) == [1] * 200


def test_requests_by_columns_and_those_one_by_one_are_split_alike():
    by_columns = versions(Aliases(), 0.5)

    assert by_columns == versions(Aliases(), 0.5, features=[ROW, ROW])
    assert set(by_columns) == {1, 2}


def test_without_a_challenger_requests_one_by_one_are_answered_too():
    assert versions(Aliases(challenged=False), 1.0, features=[ROW]) == [1] * 200


def test_fences_name_who_answers_the_share():
    assert sorted(fences(Aliases(), 0.5)) == [(CHALLENGER, 2), (CHAMPION, 1)]
    assert fences(Aliases(challenged=False), 0.5) == [(CHAMPION, 1)]


def test_who_asks_for_the_challenger_where_no_share_is_given_is_told_that_there_is_none():
    predict = Predict(TOPICS, Aliases(challenged=False), PredictSettings(("m",)))

    assert {answer.code for answer in answers(predict(asked(version=CHALLENGER)))} == {
        "unknown_model"
    }
