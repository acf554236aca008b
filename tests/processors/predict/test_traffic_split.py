"""The traffic split: a share of the keys goes to the challenger, always the same keys."""

from modstream.broker.wire.codec import decode, encode
from modstream.broker.wire.contracts import Request
from modstream.broker.wire.model_contracts import VersionMarker
from modstream.broker.wire.topics import Topics
from modstream.models.registry.errors import ModelNotFound
from modstream.models.registry.refs import CHALLENGER, CHAMPION
from modstream.processors.predict.handler import request_handler
from modstream.processors.predict.settings import InferenceSettings
from modstream.processors.predict.traffic_split import alias_for
from modstream.processors.predict.version_markers import VersionMarkers
from tests.processors.small_fixtures import decode_responses, make_record, river_model


class Aliases:
    """Models whose champion is version 1 and whose challenger, if there is one, is version 2."""

    def __init__(self, *, challenged=True):
        self.versions = {CHAMPION: river_model(version=1)}
        if challenged:
            self.versions[CHALLENGER] = river_model(version=2)

    def get(self, name, ref=CHAMPION):
        if ref not in self.versions:
            raise ModelNotFound(name, ref)
        return self.versions[ref]


ROW = {"x": 1, "city": "LGA"}
TOPICS = Topics("s")


def asked(features=ROW, **request):
    return [
        make_record(encode(Request(id=f"{n}", features=features, **request)), offset=n, key=None)
        for n in range(200)
    ]


def predict(models, share, markers=None, **request):
    settings = InferenceSettings(("m",), challenger_share=share)
    return request_handler(TOPICS, models, settings, markers=markers)(asked(**request)).records


def versions(models, share, **request):
    return [response.version for response in decode_responses(predict(models, share, **request))]


def marked(models, share):
    markers = VersionMarkers(TOPICS.version_markers, lambda _partition: 1)
    records = predict(models, share, markers)
    found = [decode(VersionMarker, r.value) for r in records if r.topic == TOPICS.version_markers]
    return [(marker.ref, marker.version) for marker in found]


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


def test_a_request_that_names_a_model_is_not_split():
    assert set(versions(Aliases(), 1.0, model="m")) == {1}


def test_without_a_challenger_the_champion_answers_all():
    assert versions(Aliases(challenged=False), 1.0) == [1] * 200


def test_the_fast_path_and_the_engine_split_alike():
    by_columns = versions(Aliases(), 0.5)

    assert by_columns == versions(Aliases(), 0.5, features=[ROW, ROW])
    assert set(by_columns) == {1, 2}


def test_without_a_challenger_the_engine_answers_with_the_champion_too():
    assert versions(Aliases(challenged=False), 1.0, features=[ROW]) == [1] * 200


def test_version_markers_name_the_alias_that_answers_the_share():
    assert sorted(marked(Aliases(), 0.5)) == [(CHALLENGER, 2), (CHAMPION, 1)]
    assert marked(Aliases(challenged=False), 0.5) == [(CHAMPION, 1)]


def test_a_request_for_a_missing_challenger_is_refused_where_no_share_is_set():
    responses = decode_responses(predict(Aliases(challenged=False), 0.0, version=CHALLENGER))

    assert {response.code for response in responses} == {"unknown_model"}
