"""The harness of the fault scenarios: worker processes, a continuous load, and the audit.

How to write a scenario:

    @pytest.mark.fault
    def test_...(harness):
        harness.start_workers(3)
        with harness.start_run(20_000) as run:     # a thread sends, two observers read
            for _ in at_progress(run, 10):         # faults follow progress, not time
                harness.killer.kill(harness.targets, inside=True)
            result = harness.finish("kill -9", run, harness.killer.kills, harness.killer.inside)
        assert not result.fault_counts

The sizes are those of one run in CI; `--times` multiplies them. Count the faults that occurred
and assert the count. Settings of the workers can be changed:
`harness.start_workers(3, delivery="at_least_once")`.
"""

import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from modstream.broker.client.admin import Admin
from modstream.broker.errors import BrokerError
from modstream.broker.wire.records import Offsets
from modstream.operations.verify.audit import VerificationResult
from modstream.operations.verify.echo import ECHO_MODEL, publish_echo
from modstream.operations.verify.load import VerificationPlan
from modstream.operations.verify.observer import exit_topics
from modstream.operations.verify.run import VerificationRun
from modstream.process.supervisor import Backoff, Command, ProcessState, ProcessStatus, Supervisor
from modstream.settings import Settings
from modstream.stack.local_stack import child_environment
from tests.faults.killer import ProcessKiller, Target
from tests.faults.log_ends import last_problems
from tests.faults.phase_page import open_phase_page
from tests.faults.summary import SummaryTable

TIMEOUT_SECONDS = 240.0
MAX_ATTEMPTS = 20
ENDLESS = 10**9
QUICK_BACKOFF = Backoff(initial_seconds=0.05, max_seconds=0.5, reset_after_seconds=5.0)
# A dead member keeps its partitions until its session times out. Short sessions shorten the run.
SHORT_SESSIONS = {"session.timeout.ms": "4000", "heartbeat.interval.ms": "500"}
SMALL_BATCHES = {"max_records": 100, "linger": 0.005, "poll_timeout": 0.1}


@dataclass
class FaultHarness:
    """A stream of its own with the echo model, and worker processes with the numbers 0, 1, 2, ...

    `times` multiplies the sizes of the runs; `seed` is the seed of all random choices.
    `server_logs` are logs of the scenario's own servers; if the run has faults, their last problems
    are shown beside those of the workers.
    """

    settings: Settings
    supervisor: Supervisor
    folder: Path
    table: SummaryTable
    times: int
    seed: int
    server_logs: list[Path] = field(default_factory=list)
    killer: ProcessKiller = field(init=False)

    def __post_init__(self) -> None:
        self.killer = ProcessKiller(self.seed)
        self._exits = exit_topics(self.settings.topics())
        self.admin = Admin(self.settings.connection)
        self.admin.create(self.settings.topic_specs())
        publish_echo(self.settings)

    def start_workers(self, count: int, **changes: object) -> None:
        """Start the workers 0 to `count` - 1 and wait until each has partitions."""
        for number in range(count):
            self.start(number, **changes)
        self.wait_for_members(count)

    def start(self, number: int, *traps: Path, **changes: object) -> None:
        """Start one worker, with trap files and changed settings."""
        update = {"instance_id": str(number), "kafka": SHORT_SESSIONS, **changes}
        # `model_copy` would silently accept an unknown setting.
        assert update.keys() <= Settings.model_fields.keys(), update
        found = child_environment(self.settings.model_copy(update=update))
        argv = (
            sys.executable,
            "-m",
            "tests.faults.worker",
            str(self._path(number)),
            *map(str, traps),
        )
        self.supervisor.start(Command(worker_name(number), argv, found))

    def stop(self, number: int) -> float:
        """Send SIGTERM to a worker; return the seconds until it has exited."""
        wait_until(
            lambda: any(t.instance == number and t.is_ready for t in self.targets()), "a worker"
        )
        begun = time.monotonic()
        self.supervisor.stop([worker_name(number)], timeout_seconds=30.0)
        return time.monotonic() - begun

    def targets(self) -> Sequence[Target]:
        """Return the processes of all running workers."""
        return [
            Target(number, row.pid, open_phase_page(self._path(number)))
            for row in self.supervisor.status()
            if row.state is ProcessState.RUNNING and row.pid is not None
            for number in [int(row.name.removeprefix("worker-"))]
        ]

    def scale(self, count: int) -> None:
        """Start workers, or stop those with the highest numbers, until `count` have partitions."""
        running = {target.instance for target in self.targets()}
        for number in set(range(count)) - running:
            self.start(number)
        for number in running - set(range(count)):
            self.stop(number)
        self.wait_for_members(count)

    def freeze_transaction(self) -> tuple[Target, Offsets]:
        """Stop a worker with SIGSTOP while its transaction is open at the broker.

        A last stable offset that does not advance for a second belongs to the stopped worker: the
        transactions of the other workers take much less time.

        Returns:
            The worker, and the offsets at which its transaction blocks readers of committed
            records.
        """
        for _ in range(MAX_ATTEMPTS):
            target = self.killer.freeze(self.targets)
            before, written = self.stable_ends(), self.admin.end_offsets(self._exits)
            time.sleep(1.0)
            now = self.stable_ends()
            held = {p: end for p, end in before.items() if now[p] == end < written[p]}
            if held:
                return target, held
            os.kill(target.pid, signal.SIGCONT)
        raise TimeoutError(f"no open transaction in {MAX_ATTEMPTS} tries")

    def stable_ends(self) -> Offsets:
        """Return the current last stable offsets of the workers' output topics."""
        return self.admin.end_offsets(self._exits, committed=True)

    def row(self, number: int) -> ProcessStatus:
        """Return the supervisor's status of a worker."""
        return next(row for row in self.supervisor.status() if row.name == worker_name(number))

    def log(self, number: int) -> str:
        """Return the log of a worker's processes so far."""
        return (self.supervisor.logs / f"{worker_name(number)}.log").read_text()

    def wait_for_members(self, count: int) -> None:
        """Wait until exactly `count` members of the workers' group have partitions."""
        group = self.settings.topics().group("worker")
        wait_until(lambda: self.admin.count_members(group) == count, f"{count} members in {group}")

    def start_run(self, number: int, **plan: object) -> VerificationRun:
        """Return a verification run of `number` requests, multiplied by `times`.

        By default the load is slower than the workers, and at most a tenth of the requests are in
        flight. The run assumes that it is alone on the stream.
        """
        requests = number * self.times
        defaults = {
            "keys": 100, "rate": 1000, "max_in_flight": requests // 10, "seed": self.seed,
        }  # fmt: skip
        full = VerificationPlan(requests, ECHO_MODEL, **(defaults | plan))
        return VerificationRun(self.settings, full, is_alone=True)

    def finish(
        self, scenario: str, run: VerificationRun, faults: int, inside: int = 0
    ) -> VerificationResult:
        """Wait for the end of a run, audit it, and add a row to the summary table."""
        for _ in run.progress(TIMEOUT_SECONDS):
            pass
        result = run.finish()
        self.table.add(scenario, result, faults, inside, run.seconds)
        for fault, finding in result.findings.items():
            for example in finding.examples:
                print(f"{scenario}: {fault}: {example}")  # noqa: T201 - shown where it fails
        if result.fault_counts:
            self._print_logs()
            self.table.notes.extend(f"{scenario}: {line}" for line in self._problems())
        return result

    def _print_logs(self) -> None:
        """Print the ends of the logs; pytest shows them if the test fails."""
        for log in sorted(self.supervisor.logs.glob("*.log")):
            print(f"--- {log.name}", *log.read_text().splitlines()[-40:], sep="\n")  # noqa: T201

    def _problems(self) -> Iterator[str]:
        """Yield open transactions and the last problems of all logs.

        They are printed below the summary table, where a log that was cut in front still has them.
        """
        with suppress(BrokerError):
            stable, written = self.stable_ends(), self.admin.end_offsets(self._exits)
            held = {str(p): (end, written[p]) for p, end in stable.items() if end < written[p]}
            yield f"last stable offsets below the ends: {held or 'none'}"
        for log in [*sorted(self.supervisor.logs.glob("*.log")), *self.server_logs]:
            yield from (f"{log.name}: {line}" for line in last_problems(log))

    def _path(self, number: int) -> Path:
        return self.folder / f"{worker_name(number)}.phase"


def at_progress(run: VerificationRun, count: int, *, share: float = 0.5) -> Iterator[int]:
    """Yield the number of answered requests at `count` points, evenly in the first `share`.

    The load continues while the caller injects faults. After the last one it sends until there are
    half as many requests again as were answered then, so at each fault a third of the work remains.
    """
    run.target = ENDLESS
    answered = 0
    for number in range(1, count + 1):
        threshold = int(run.plan.requests * share * number / (count + 1))
        assert run.wait_for_answers(threshold, TIMEOUT_SECONDS), (
            f"{run.answered:,} of {threshold:,} answers"
        )
        assert run.is_sending
        yield (answered := run.answered)
    run.target = max(run.plan.requests, answered * 3 // 2)


def worker_name(number: int) -> str:
    """Return the name of a worker in the supervisor."""
    return f"worker-{number}"


def wait_until(condition, what: str, seconds: float = TIMEOUT_SECONDS, pause: float = 0.1) -> None:
    """Poll until a condition is true; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(pause)
