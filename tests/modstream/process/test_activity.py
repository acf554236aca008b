"""The lines by which a service says now and then what it has done."""

from structlog.testing import capture_logs

from modstream.process.activity import ActivityLog


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_totals_are_logged_once_per_interval_and_only_when_they_have_changed():
    clock, totals = Clock(), {4: 4, 10: 5, 31: 71, 41: 70, 72: 70, 103: 99, 104: 100}
    with capture_logs() as lines:
        activity = ActivityLog("requests answered", interval=30, clock=clock)
        for second, answered in totals.items():
            clock.now = float(second)
            activity.update(lambda answered=answered: {"requests": answered})

    assert [(line["event"], line["requests"]) for line in lines] == [
        ("requests answered", 5),
        ("requests answered", 70),
        ("requests answered", 99),
    ]


def test_totals_are_not_computed_between_two_lines():
    def fail() -> dict[str, object]:
        raise AssertionError("computed")

    ActivityLog("requests answered", clock=Clock()).update(fail)
