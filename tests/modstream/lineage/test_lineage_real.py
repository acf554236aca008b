"""A model's life on real servers, as its lineage events tell it."""

import json

import pytest

from modstream.broker.client.admin import Admin
from modstream.broker.client.publisher import Publisher
from modstream.broker.client.reader import read_to_end
from modstream.broker.wire.codec import encode
from modstream.broker.wire.records import ProducerRecord
from modstream.models.schema.version_spec import VersionSpec
from modstream.registry.access import open_registry
from modstream.registry.alias_moves import AliasChange, promote, roll_back
from modstream.registry.events import publish_event
from modstream.retrain.retrain import RetrainPlan, retrain
from modstream.settings import load_settings
from tests.modstream.lineage.run_events import check
from tests.modstream.services.test_retrainer import ROWS, SCHEMA, separable_feedback
from tests.processors.small_fixtures import river_model

pytestmark = pytest.mark.real


def test_training_promotion_and_rollback_are_told_in_a_file_and_a_publication_in_kafka(
    bootstrap, redis_url, prefix, tmp_path
):
    file = tmp_path / "lineage.jsonl"
    lineage = {"enabled": True, "transport": {"type": "file", "log_file_path": str(file)}}
    settings = load_settings(
        bootstrap=bootstrap, redis=redis_url, prefix=prefix, stream="s", home=tmp_path,
        partitions=1, train={"trials": 1, "folds": 2}, lineage=lineage,
    )  # fmt: skip
    topics = settings.topics()
    Admin(settings.connection).create(settings.topic_specs())
    spec = VersionSpec(
        name="m", runtime="river", task="binary", classes=(False, True), input_schema=SCHEMA
    )
    with open_registry(settings) as registry, Publisher(settings.connection) as publisher:
        card = registry.publish(spec, river_model(schema=SCHEMA).runtime.snapshot())
        for feedback in separable_feedback(ROWS):
            publisher.send(ProducerRecord(topics.feedback, b"k", encode(feedback)))
        publisher.flush()

        trained = retrain(settings, registry, "m", RetrainPlan("a drill")).card
        promote(settings, registry, AliasChange("m", reason="better", user="ada"), trained.version)
        roll_back(settings, registry, AliasChange("m"))
        sent_to_kafka = {**lineage, "transport": {"type": "kafka", "topic": topics.metrics}}
        publish_event(
            load_settings(**settings.model_dump() | {"lineage": sent_to_kafka}),
            card,
            "publish",
            None,
        )

    events = [json.loads(line) for line in file.read_text().splitlines()]
    for event in events:
        check(event)
    assert [(one["job"]["name"], one["eventType"]) for one in events] == [
        (f"s.m.{kind}", state)
        for kind in ("train", "promote", "rollback")
        for state in ("START", "COMPLETE")
    ]
    read = events[1]["inputs"][0]
    assert read["name"] == topics.feedback
    assert read["inputFacets"]["modstream_offsets"]["ranges"] == [
        {"partition": 0, "first": 0, "stop": ROWS}
    ]
    versions = [
        event["outputs"][0]["facets"]["version"]["datasetVersion"] for event in events[1::2]
    ]
    assert versions == ["2", "2", "1"]
    records = list(read_to_end(settings.connection, [topics.metrics]))
    told = [json.loads(record.value) for record in records]
    assert [one["eventType"] for one in told] == ["START", "COMPLETE"]
    for event in told:
        check(event)
