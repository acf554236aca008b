"""Label delays and coverage: the newest of each joiner, whatever is read first."""

from itertools import permutations

from modstream.broker.wire.model_contracts import Metrics
from modstream.dashboard.figures import StreamFigures
from modstream.dashboard.joiner_figures import MAX_VERSIONS


def write(story, kind, partitions, version=None, **values):
    story.now += 1000
    model = None if version is None else "online"
    offsets = {f"flights.predictions:{number}": story.now for number in partitions}
    metrics = Metrics(kind=kind, model=model, version=version, values=values, offsets=offsets)
    return story.write(story.topics.metrics, kind, metrics)


def joiner_of(story, records):
    figures = StreamFigures(story.topics, story.route)
    figures.add(records, story.now)
    return figures.joiner


def test_counts_of_several_joiners_add_up_and_a_rebalance_replaces_them(story):
    records = [
        write(story, "label_delay", (0, 1), **{"100": 5.0, "200": 1.0}),
        write(story, "label_delay", (0,), **{"100": 7.0}),
        write(story, "label_delay", (1,), **{"100": 1.0, "400": 2.0}),
    ]

    for order in permutations(records):
        assert joiner_of(story, order).delays() == {100: 8, 400: 2}


def test_coverage_is_summed_over_joiners(story):
    records = [
        write(story, "coverage", (0,), 3, predicted=10.0, labelled=4.0, missing=1.0, coverage=0.4),
        write(story, "coverage", (1,), 3, predicted=30.0, labelled=8.0, missing=0.0, coverage=0.3),
        write(story, "coverage", (0,), 4, predicted=0.0, labelled=0.0, missing=0.0, coverage=0.0),
    ]

    joiner = joiner_of(story, records)
    coverage = joiner.coverage("online", 3)

    assert (coverage.predicted, coverage.labelled, coverage.missing) == (40, 12, 1)
    assert coverage.share == 0.3
    assert coverage.at == records[1].timestamp
    assert joiner.coverage("online", 4).share == 0.0
    assert joiner.coverage("online", 9) is None
    assert [one.version for one in joiner.all_coverage()] == [3, 4]
    assert joiner.model_coverage("online") == 0.3


def test_counters_of_the_joiner_are_the_newest(story):
    records = [write(story, "joiner", (0,), joined=1.0), write(story, "joiner", (0,), joined=5.0)]

    assert joiner_of(story, records[::-1]).counts() == {"joined": 5.0}


def test_the_number_of_versions_is_bounded_and_the_newest_are_kept(story):
    records = [write(story, "coverage", (0,), version, predicted=1.0) for version in range(1, 150)]

    found = {one.version for one in joiner_of(story, records).all_coverage()}

    assert len(found) == MAX_VERSIONS
    assert 149 in found


def test_impossible_delays_are_left_out(story):
    record = write(story, "label_delay", (0,), **{"1": float("nan"), "x": 3.0, "2": -1.0, "8": 2.0})

    assert joiner_of(story, [record]).delays() == {8: 2}
