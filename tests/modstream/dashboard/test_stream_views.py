"""The view of a stream and of its labels, from figures and what was sampled."""

from modstream.broker.wire.contracts import UnjoinedReason
from modstream.broker.wire.model_contracts import Metrics
from modstream.dashboard.figures import StreamFigures
from modstream.dashboard.model_views import Moment
from modstream.dashboard.registry_facts import ModelFacts
from modstream.dashboard.service_sampler import Sample
from modstream.dashboard.snapshots import History, ServiceView
from modstream.dashboard.stream_views import StreamSources, labels_view, stream_view

WORKER = ServiceView("worker", True, 0, (), ())
CHAMPION = ModelFacts({"champion": 1}, 1, "binary")
HISTORY = History(0, 0, True, 1, 0)


def view_of(story, sample, errors=None, now=None):
    figures = StreamFigures(story.topics, story.route)
    figures.add(story.records, story.now)
    sources = StreamSources("flights", story.route, sample, HISTORY, errors or {})
    return stream_view(figures, sources, Moment(now or story.now, 3), 600, 60)


def test_totals_reach_until_now_and_current_counts_since_the_series(story):
    story.now = story.now // 10_000 * 10_000
    story.flight("one")
    story.now += 10_000
    story.flight("two")
    sample = Sample(1, story.now, (WORKER,), models={"online": CHAMPION, "frozen": CHAMPION})

    view = view_of(story, sample)

    assert (sum(view.series.requests) * 10, view.current.requests, view.totals.requests) == (
        1,
        1,
        2,
    )
    assert (view.revision, view.lag_at, view.problems) == (3, story.now, ())


def test_a_model_of_the_route_without_champion_is_a_problem_if_the_registry_answers(story):
    sample = Sample(1, story.now, (WORKER,), models={"online": CHAMPION})

    (found,) = view_of(story, sample).problems
    (unavailable,) = view_of(story, sample, {"registry": "no answer"}).problems

    assert found.about == "model/frozen"
    assert unavailable.about == "server/registry"


def test_before_the_first_sample_nothing_is_said_of_the_registry(story):
    assert view_of(story, Sample()).problems == ()


def test_a_dead_letter_is_no_problem_after_ten_minutes(story):
    story.dead_letter(story.ask("bad", b"{"))
    sample = Sample(1, story.now, (WORKER,), models={"online": CHAMPION, "frozen": CHAMPION})

    early, late = view_of(story, sample), view_of(story, sample, now=story.now + 700_000)

    assert [one.about for one in early.problems] == ["dead_letters"]
    assert late.problems == ()


def test_the_view_of_labels_has_delays_coverage_and_what_was_set_aside(story):
    story.flight("one")
    story.quarantine(story.flight("two"))
    story.set_aside("three", UnjoinedReason.LATE)
    story.dead_letter(story.ask("bad", b"{"))
    delays = {str(bound): 10.0 for bound in (100, 200, 400)}
    write_metrics(story, "label_delay", delays)
    write_metrics(story, "coverage", {"predicted": 4.0, "labelled": 1.0}, model="online", version=1)
    figures = StreamFigures(story.topics, story.route)
    figures.add(story.records, story.now)

    view = labels_view(figures, HISTORY, Moment(story.now, 1))

    assert [(one.upper, one.labels) for one in view.delays] == [(100, 10), (200, 10), (400, 10)]
    assert (view.delay_p50, view.delay_p90, view.delay_p99) == (200, 400, 400)
    assert view.coverage[0].coverage.share == 0.25
    assert view.labels == 2
    assert [one.reason for one in view.unjoined] == ["late"]
    assert [one.reason for one in view.quarantine] == ["out_of_range"]
    assert [one.cause for one in view.dead_letters] == ["not_json"]


def test_without_labels_there_are_no_delays(story):
    view = labels_view(StreamFigures(story.topics, ()), HISTORY, Moment(story.now, 1))

    assert (view.delays, view.delay_p50, view.coverage) == ((), None, ())


def write_metrics(story, kind, values, **fields):
    metrics = Metrics(kind=kind, values=values, **fields)
    story.write(story.topics.metrics, kind, metrics)
