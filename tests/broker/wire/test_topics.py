"""Topics and their settings."""

from modstream.broker.wire.topics import Topics


def test_a_stream_has_ten_topics_with_names_of_their_own():
    names = [spec.name for spec in Topics("flights", "team.").specs(partitions=4)]

    assert len(set(names)) == 10
    assert all(name.startswith("team.") for name in names)


def test_model_events_are_compacted_and_shared_by_all_streams():
    flights, trains = Topics("flights"), Topics("trains")

    assert flights.model_events == trains.model_events
    (spec,) = [s for s in flights.specs(4) if s.name == flights.model_events]
    assert spec.config["cleanup.policy"] == "compact"


def test_what_is_joined_has_as_many_partitions_as_what_it_is_joined_with():
    topics = Topics("flights")
    partitions = {spec.name: spec.partitions for spec in topics.specs(partitions=6)}

    joined = {topics.requests, topics.predictions, topics.labels, topics.feedback}
    assert {partitions[name] for name in joined} == {6}


def test_fences_are_kept_for_longer_than_the_answers_they_tell_of():
    topics = Topics("flights")
    kept = {spec.name: spec.config.get("retention.ms", "") for spec in topics.specs(4, 7)}
    long = {spec.name: spec.config.get("retention.ms", "") for spec in topics.specs(4, 400)}

    assert int(kept[topics.fences]) > 10 * int(kept[topics.predictions])
    assert long[topics.fences] == long[topics.predictions]
