"""Topics and their settings."""

from modstream.broker.wire.topics import Topics


def test_a_stream_has_eleven_topics_with_different_names():
    names = [spec.name for spec in Topics("flights", "team.").specs(partitions=4)]

    assert len(set(names)) == 11
    assert all(name.startswith("team.") for name in names)


def test_model_events_are_compacted_and_shared_by_all_streams():
    flights, trains = Topics("flights"), Topics("trains")

    assert flights.model_events == trains.model_events
    (spec,) = [s for s in flights.specs(4) if s.name == flights.model_events]
    assert spec.config["cleanup.policy"] == "compact"


def test_topics_that_are_joined_have_the_same_number_of_partitions():
    topics = Topics("flights")
    partitions = {spec.name: spec.partitions for spec in topics.specs(partitions=6)}

    joined = {topics.requests, topics.predictions, topics.labels, topics.feedback}
    assert {partitions[name] for name in joined} == {6}


def test_version_markers_are_retained_longer_than_predictions():
    topics = Topics("flights")
    by_default = {spec.name: spec.config.get("retention.ms", "") for spec in topics.specs(4, 7)}
    long_retention = {
        spec.name: spec.config.get("retention.ms", "") for spec in topics.specs(4, 400)
    }

    assert int(by_default[topics.version_markers]) > 10 * int(by_default[topics.predictions])
    assert long_retention[topics.version_markers] == long_retention[topics.predictions]


def test_the_inference_log_is_a_topic_only_where_its_retention_is_given():
    topics = Topics("flights")
    names = {spec.name for spec in topics.specs(4)}
    (log,) = [spec for spec in topics.specs(4, 7, log_days=2) if spec.name not in names]

    assert log.name == "flights.inferences"
    assert log.partitions == 4
    assert log.config["retention.ms"] == str(2 * 24 * 3600 * 1000)
    assert log.config["message.timestamp.type"] == "LogAppendTime", "the time of the answer"
