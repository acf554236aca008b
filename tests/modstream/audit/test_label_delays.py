"""The delays of labels, as the joiners of a stream count them."""

from modstream.broker.wire.model_contracts import Metrics


def publish(story, values, *partitions):
    offsets = {f"flights.labels:{partition}": 10 for partition in partitions}
    story.write(
        story.topics.metrics,
        "label_delay",
        Metrics(kind="label_delay", event_time=1, values=values, offsets=offsets),
    )


def test_the_counts_of_two_joiners_are_added(story):
    publish(story, {"100": 5.0}, 0, 1)
    publish(story, {"100": 2.0, "400": 1.0}, 2, 3)
    publish(story, {"100": 6.0}, 0, 1)

    assert story.audit_result().labels.delays == {100: 8, 400: 1}


def test_counts_from_before_a_rebalance_are_replaced(story):
    publish(story, {"100": 5.0}, 0, 1)
    publish(story, {"100": 2.0}, 2, 3)
    publish(story, {"100": 9.0}, 0, 1, 2, 3)

    assert story.audit_result().labels.delays == {100: 9}
