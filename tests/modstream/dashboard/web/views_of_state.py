"""A stand-in for the state of the dashboard, with views of several kinds: full, empty, failing."""

from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path

from modstream.broker.wire.codec import encode
from modstream.broker.wire.contracts import Prediction, SourcePosition, StepResult
from modstream.broker.wire.records import Record
from modstream.dashboard.errors import SearchFailed
from modstream.dashboard.labelled_rows import LabelledRows
from modstream.dashboard.monitoring_views import monitoring_views
from modstream.dashboard.pipeline_views import pipeline_view
from modstream.dashboard.snapshots import (
    Band,
    Coverage,
    DeadLetterCause,
    DelayBucket,
    Drift,
    HealthView,
    History,
    LabelsView,
    LetterExample,
    Member,
    ModelSummary,
    ModelView,
    PartitionLag,
    Problem,
    QualityPoint,
    ReasonCount,
    RequestView,
    ServiceView,
    StreamSeries,
    StreamTotals,
    StreamView,
    TimelineEntry,
    TraceFact,
    VersionCoverage,
    VersionView,
)
from modstream.dashboard.store_sampler import stored_predictions
from modstream.errors import HomeUnusable
from modstream.models.pipelines.pipeline import parse_pipeline
from modstream.models.prediction_store.store import VersionKeys
from tests.modstream.dashboard.experiments import long_experiments, sample_experiments
from tests.modstream.dashboard.feedback_rows import KnownVersions, make_feedback

NOW = 1_764_435_600_000
STREAM = "flights"
EXAMPLE = Path(__file__).parents[4] / "examples/pipelines/approval.toml"
NAMES = ("online", "frozen")


class StateOfViews:
    """The methods of `DashboardState`, with views that are given by the kind.

    `kind` is `full`, `empty`, `error` (Kafka and Redis are away) or `long` (10,000 rows). `text`
    stands in every place whose text a client of the stream chooses.
    """

    def __init__(self, kind="full", text=""):
        self.kind, self.text = kind, text
        self.revision = 1
        self.callbacks = []
        self.searches = []

    @contextmanager
    def subscribe(self, callback):
        self.callbacks.append(callback)
        yield
        self.callbacks.remove(callback)

    def update(self):
        self.revision += 1
        for callback in self.callbacks:
            callback(self.revision)

    def stream_view(self, seconds=900, max_points=180):
        view = stream_view(seconds, max_points, self.revision, self.text)
        if self.kind == "full":
            return view
        if self.kind == "long":
            return replace(view, services=(long_service(),))
        problems = away_problems() if self.kind == "error" else ()
        zeros = (0.0,) * len(view.series.requests)
        nones = (None,) * len(zeros)
        series = replace(
            view.series, requests=zeros, answers=zeros, refusals=zeros, dead_letters=zeros,
            labels=zeros, p50=nones, p95=nones, p99=nones,
        )  # fmt: skip
        return replace(
            view,
            series=series,
            totals=StreamTotals(0, 0, 0, 0, 0, None, None, None),
            services=(),
            health=(),
            lag_at=None,
            problems=problems,
        )

    def models(self):
        if self.kind == "full":
            return tuple(map(summary_of, map(model_view, NAMES)))
        if self.kind == "long":
            return tuple(summary_of(model_view(f"model-{i}")) for i in range(200))
        return ()

    def model_view(self, name):
        if name not in {*NAMES, "model-1"} or self.kind == "empty":
            return None
        if self.kind == "error":
            return replace(
                model_view(name, self.text), versions=(), champion=None, challengers=(),
                quality=(), timeline=(), drift=(), is_in_registry=False, main_metric=None,
            )  # fmt: skip
        view = replace(model_view(name, self.text), monitoring=monitoring_view())
        if name == "frozen":
            view = replace(view, pipeline=pipeline_of_example(self.text), stored=STORED)
        if self.kind == "long":
            one = view.timeline[0]
            return replace(view, timeline=(one,) * 10_000)
        return view

    def stored_predictions(self):
        return (STORED,) if self.kind == "full" else ()

    def experiments(self):
        if self.kind == "error":
            raise HomeUnusable(Path("experiments"), "Permission denied")
        if self.kind == "empty":
            return ()
        few = sample_experiments(self.text)
        return few if self.kind != "long" else few + long_experiments()

    def labels_view(self):
        view = labels_view(self.revision, self.text)
        if self.kind == "full":
            return view
        if self.kind == "long":
            rows = tuple(ReasonCount(f"rule_{i}", "online", i, NOW) for i in range(10_000))
            return replace(view, quarantine=rows)
        return replace(
            view, delays=(), delay_p50=None, delay_p90=None, delay_p99=None, coverage=(),
            joiner={}, unjoined=(), quarantine=(), dead_letters=(), labels=0,
        )  # fmt: skip

    def request_view(self, request_id, *, key=None, with_values=False, timeout=10.0):
        self.searches.append((request_id, key, with_values))
        if self.kind == "error":
            raise SearchFailed(ConnectionError("no broker answers"))
        if self.kind == "empty":
            return RequestView(request_id, False, True, "", (), 0, "", 0.4)
        facts = request_facts(with_values, self.text)
        if self.kind == "long":
            facts *= 2500
        return RequestView(
            request_id, True, True, "its label was joined", facts, 0, self.text, 0.31
        )


def stream_view(seconds, points, revision, text=""):
    step = max(1, seconds * 1000 // points)
    waves = [40 + 25 * ((i * 7) % 20) / 20 for i in range(points)]
    latency = [8 + (i * 13) % 9 for i in range(points)]
    series = StreamSeries(
        start=NOW - seconds * 1000,
        step=step,
        requests=tuple(waves),
        answers=tuple(wave * 1.9 for wave in waves),
        refusals=tuple(0.1 * (i % 11 == 0) for i in range(points)),
        dead_letters=tuple(0.05 * (i % 17 == 0) for i in range(points)),
        labels=tuple(wave * 0.8 for wave in waves),
        p50=tuple(map(float, latency)),
        p95=tuple(one * 2.4 for one in latency),
        p99=tuple(None if i % 40 == 0 else one * 4.1 for i, one in enumerate(latency)),
    )
    problem = Problem(
        "error", "lag/worker", f"2,300 requests wait and no worker runs {text}",
        "modstream worker flights",
    )  # fmt: skip
    warning = Problem(
        "warning", "quarantine", "The guard has rejected 214 rows in an hour",
        "modstream quarantine list flights",
    )  # fmt: skip
    return StreamView(
        stream=STREAM,
        now=NOW + revision * 1000,
        revision=revision,
        history=History(NOW - 21_600_000, NOW - 21_600_000, True, 812_331, 0),
        series=series,
        totals=StreamTotals(48_211, 91_730, 31, 4, 38_018, 11.2, 27.4, 61.8),
        services=tuple(
            ServiceView(
                name,
                name != "joiner",
                sum(range(4)) * 3,
                tuple(PartitionLag(f"{STREAM}.requests", i, i * 3) for i in range(4)),
                (Member(f"modstream-{name}-0{text}", "10.0.0.7", (0, 1, 2, 3)),),
            )
            for name in ("worker", "joiner", "learner")
        ),
        health=(
            HealthView("flights.worker-0", True, "answering", 9, NOW),
            HealthView("flights.joiner", False, f"no report for 30 s {text}", None, NOW - 30_000),
        ),
        lag_at=NOW,
        problems=(problem, warning),
        current=StreamTotals(120, 240, 0, 0, 90, 10.9, 26.0, 58.0),
    )


def long_service():
    lags = tuple(PartitionLag(f"{STREAM}.requests", i, (i * 7919) % 10_007) for i in range(10_000))
    return ServiceView("worker", True, sum(one.records for one in lags), lags, ())


def away_problems():
    return (
        Problem("error", "kafka", "Kafka does not answer at localhost:9092", "modstream up"),
        Problem("error", "redis", "The model registry in Redis does not answer", "modstream up"),
    )


def quality_points(number, count=40):
    def point(i):
        auc = 0.68 + 0.0012 * i + (0.004 * number) % 0.03
        accuracy = 0.81 + 0.0004 * i
        width = 0.05 / (1 + i / 12)
        return QualityPoint(
            at=NOW - (count - i) * 15_000,
            event_time=NOW - (count - i) * 900_000,
            labelled=200 * (i + 1),
            window=min(2000, 200 * (i + 1)),
            values={"auc": auc, "accuracy": accuracy, "log_loss": 0.47 - 0.001 * i},
            bands={
                "auc": Band(auc - width, auc + width, "normal"),
                "accuracy": Band(accuracy - width, accuracy + width, "wilson"),
                "log_loss": Band(None, None, "none", "log loss has no simple interval"),
            },
        )

    return tuple(map(point, range(count)))


STORED = stored_predictions(
    "frozen",
    12,
    {
        11: VersionKeys(18_402, NOW - 90_000_000, NOW - 86_400_000),
        12: VersionKeys(204_771, NOW - 80_000_000, NOW - 4_000),
    },
    NOW,
)


def pipeline_of_example(text=""):
    """Return the example of a pipeline, with an answer that tells of its steps."""
    pipeline = parse_pipeline(EXAMPLE.read_bytes(), "approval")
    steps = [
        StepResult(name=name, version=3, milliseconds=1.9, outcome="ok", reason=text or None)
        for name in pipeline.definition.steps
    ]
    answer = Prediction(
        id="r", model="approval", version=12, outputs={"probability": 0.4}, steps=steps,
        source=SourcePosition(topic="flights.requests", partition=0, offset=1),
    )  # fmt: skip
    record = Record("flights.predictions", 0, 1, b"r", encode(answer), (), NOW - 4000)
    return pipeline_view(pipeline, 12, {}, record)


@cache
def monitoring_view():
    """Compute what is monitored of 3000 simulated rows, whose worst carrier is FL."""
    rows = LabelledRows(KnownVersions())
    for feedback in make_feedback(3000):
        rows.add(feedback)
    return monitoring_views(rows, NOW)["online"]


def version_view(number, aliases=()):
    return VersionView(
        version=number,
        aliases=aliases,
        role=aliases[0] if aliases else "",
        published_at=NOW - (20 - number) * 600_000,
        parent=number - 1 if number > 1 else None,
        source="learned from feedback",
        runtime="river",
        task="binary_classification",
        features=("x0", "x1"),
        feature_count=2,
        size=182_400 + number,
        sha256="ab" * 32,
        is_signed=True,
        rows_learned=number * 1200,
        card_metrics={"auc": 0.7},
        answers=number * 900,
        answers_per_second=41.5 if "champion" in aliases else 0.0,
        coverage=Coverage(NOW, number * 900, number * 720, number * 9, 0.8),
        quality=quality_points(number) if number > 9 else (),
    )


def model_view(name, text=""):
    versions = tuple(
        version_view(
            number, {12: ("champion",), 13: ("challenger",), 11: ("previous",)}.get(number, ())
        )
        for number in range(14, 0, -1)
    )
    evidence = {
        "champion": f"champion{text}", "candidate": "challenger", "count": 2000,
        "champion_loss": 0.4712, "candidate_loss": 0.4598, "bound": 0.004, "alpha": 0.05,
    }  # fmt: skip
    timeline = (
        entry("promote", 12, "champion", f"challenger improves the mean loss {text}", evidence),
        entry("publish", 14, None, "", {}),
        entry("rollback", 11, "champion", "answers were too slow", {}),
        entry("publish", 12, None, "", {}),
    )
    return ModelView(
        name=name,
        now=NOW,
        revision=1,
        versions=versions,
        version_count=64,
        champion=12,
        challengers=(13, 11),
        is_in_route=True,
        main_metric="auc",
        higher_is_better=True,
        quality=quality_points(12, 120),
        timeline=timeline,
        drift=(Drift(NOW - 60_000, NOW - 3_600_000, f"dep_delay{text}", 2.31),),
        learner={"learned": 14_400.0, "rejected": 214.0},
        is_in_registry=True,
    )


def entry(action, version, alias, reason, evidence):
    at = NOW - {"promote": 200_000, "publish": 400_000, "rollback": 700_000}[action]
    return TimelineEntry(
        at, at - 100, action, version, alias, version - 1, version * 1200, reason, evidence,
        f"model-events:0:{version}",
    )  # fmt: skip


def summary_of(model):
    point = model.quality[-1]
    return ModelSummary(
        name=model.name,
        is_in_route=model.is_in_route,
        is_in_registry=True,
        champion=model.champion,
        challengers=model.challengers,
        version_count=model.version_count,
        task="binary_classification",
        answers=45_000,
        answers_per_second=41.5,
        main_metric="auc",
        value=point.values["auc"],
        band=point.bands["auc"],
        labelled=point.labelled,
        coverage=0.8,
        last_change=model.timeline[0],
    )


def labels_view(revision, text=""):
    return LabelsView(
        now=NOW + revision * 1000,
        revision=revision,
        history=History(NOW - 21_600_000, NOW - 3_600_000, False, 120_000, 3),
        delays=tuple(
            DelayBucket(upper, count)
            for upper, count in (
                (1000, 12), (60_000, 240), (600_000, 5310), (3_600_000, 22_044),
                (21_600_000, 8120), (172_800_000, 402),
            )
        ),
        delay_p50=3_600_000,
        delay_p90=21_600_000,
        delay_p99=172_800_000,
        coverage=tuple(
            VersionCoverage("online", number, Coverage(NOW, 900 * number, 700 * number, 3, 0.777))
            for number in (14, 13, 12)
        ),
        joiner={"joined": 38_018.0, "late": 12.0, "open": 4021.0},
        unjoined=(ReasonCount("late", "", 12, NOW), ReasonCount("orphan", "", 7, NOW)),
        quarantine=(
            ReasonCount("outlier", "online", 180, NOW),
            ReasonCount(f"not_finite{text}", "online", 34, NOW),
        ),
        dead_letters=(
            DeadLetterCause(
                f"not_json{text}", "decode", 4, NOW, f"the value is not JSON {text}",
                (
                    LetterExample(
                        f"{STREAM}.dlq:0:7", f"{STREAM}.requests:0:17{text}", "key-1", NOW, 2
                    ),
                ),
            ),
        ),
        labels=38_018,
    )  # fmt: skip


def request_facts(with_values, text=""):
    def fact(kind, offset, sentence, details, values):
        return TraceFact(
            NOW + offset, kind, sentence, f"{STREAM}.requests:1:{offset}", details,
            values if with_values else {},
        )  # fmt: skip

    return (
        fact("request", 0, f"was sent by web {text}", {"bytes": 182, "key": f"k-17{text}"},
             {"features": f'{{"x0": 6.125, "secret": "{text}"}}'}),
        fact("prediction", 12, "online answered", {"model": "online", "version": 12},
             {"outputs": '{"probability": 0.91}'}),
        fact("label", 3_600_000, "its label arrived after an hour", {"revision": 1},
             {"label": "true"}),
        fact("learning", 3_601_000, "online learned the row", {"version": 13}, {}),
    )  # fmt: skip
