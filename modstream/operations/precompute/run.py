"""A precompute run: sends the rows of a source as requests, each once, and awaits all answers.

The requests are sent in transactions. A run that ends at any point continues:
  1. open the publisher; that fences a predecessor and ends its open transaction
  2. wait until all transactions on the requests topic are committed or aborted
  3. read the last checkpoint, and the requests that were sent since
  4. read the responses from the offsets of the checkpoint, and send the rows that were not sent
So no row is sent twice, however long ago it was sent: the deduplication of the workers, which knows
recent ids only, is not needed. The same happens after a transaction whose outcome is unknown.
"""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from threading import Event
from time import monotonic

import structlog

from modstream.broker.client.admin import Admin
from modstream.broker.client.connection import Connection
from modstream.broker.client.reader import Reader, read_offset_ranges
from modstream.broker.client.transactional_publisher import TransactionalPublisher
from modstream.broker.errors import BrokerUnavailable, ProducerLost, TransactionAborted
from modstream.broker.wire.records import Record, TopicPartition, next_offsets
from modstream.broker.wire.topics import Topics
from modstream.errors import Interrupted, NoResponse
from modstream.operations.precompute.request_encoder import MakeRequest
from modstream.operations.precompute.responses import ResponseReader, read_attempts
from modstream.operations.precompute.run_folder import Checkpoint, RunFolder, RunPlan
from modstream.operations.precompute.sender import RunLimits, RunSource, Sender
from modstream.operations.precompute.source_rows import OpenRows
from modstream.processors.precompute.run_progress import RunProgress

MAX_FAILURES = 10
"""How often a run continues without a further answer before it fails."""
FIRST_PAUSE_SECONDS = 0.25
MAX_PAUSE_SECONDS = 5.0
"""Pause before a run continues; doubled each time."""
CHECKPOINT_SECONDS = 1.0
"""Time between two checkpoints."""
POLL_SECONDS = 0.2
MAX_POLL_RECORDS = 5_000

ProgressCallback = Callable[[RunProgress], None]


@dataclass(frozen=True, slots=True)
class PrecomputeRun:
    """One run: where it sends, what, and where it keeps its progress."""

    connection: Connection
    topics: Topics
    plan: RunPlan
    folder: RunFolder
    open_rows: OpenRows
    make_request: MakeRequest
    limits: RunLimits = field(default_factory=RunLimits)
    on_progress: ProgressCallback = lambda _progress: None

    def run(self, stop: Event) -> Checkpoint:
        """Send every row that was not sent, await all answers, and return the last checkpoint.

        Raises:
            Interrupted: `stop` was set; the run can be continued.
            NoResponse: no answer arrived for too long; the run can be continued.
            BrokerError: the outcome of transactions was unknown again and again, or another
                process has taken the run over.
        """
        failures, settled = 0, -1
        while True:
            try:
                return self._continue(stop)
            except (ProducerLost, TransactionAborted, BrokerUnavailable) as error:
                checkpoint = self.folder.read_checkpoint()
                now = 0 if checkpoint is None else checkpoint.progress.settled
                failures, settled = 1 if now > settled else failures + 1, now
                if failures > MAX_FAILURES:
                    raise
                structlog.get_logger(__name__).warning("run continues", cause=str(error))
                if stop.wait(min(MAX_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2**failures)):
                    raise Interrupted from error

    def _continue(self, stop: Event) -> Checkpoint:
        """Continue from the last checkpoint to the end."""
        topics, admin = self.topics, Admin(self.connection)
        transactional_id = f"{topics.group('precompute')}-{self.plan.run}"
        with ExitStack() as opened:
            publisher = opened.enter_context(
                TransactionalPublisher(self.connection, transactional_id)
            )
            checkpoint = self._recover(admin)
            start = parse_offsets(checkpoint.responses)
            reader = opened.enter_context(
                Reader(self.connection, [topics.predictions, topics.dlq], start)
            )
            source = RunSource(
                topic=topics.requests,
                ids=self.plan.ids,
                open_rows=self.open_rows,
                make_request=self.make_request,
                limits=self.limits,
            )
            sender = Sender(source, publisher, checkpoint.progress)
            return Dialogue(self, admin, reader, sender, checkpoint).run(stop)

    def _recover(self, admin: Admin) -> Checkpoint:
        """Return the last checkpoint, with all requests that were sent since."""
        requests = self.topics.requests
        admin.wait_for_transactions([requests])
        ends = admin.end_offsets([requests], committed=True)
        checkpoint = self.folder.read_checkpoint() or Checkpoint(
            self.plan.requests, dict(self.plan.responses)
        )
        first = parse_offsets(checkpoint.requests)
        ranges = {one: (first.get(one, 0), end) for one, end in ends.items()}
        unread = {one: bounds for one, bounds in ranges.items() if bounds[0] < bounds[1]}
        sent = read_offset_ranges(self.connection, requests, unread)
        checkpoint.progress.recover(read_attempts(self.plan.ids, sent))
        checkpoint.requests = format_offsets(ends)
        return checkpoint


class Dialogue:
    """Alternates between sending rows and reading responses, until every row is settled."""

    def __init__(
        self,
        run: PrecomputeRun,
        admin: Admin,
        reader: Reader,
        sender: Sender,
        checkpoint: Checkpoint,
    ) -> None:
        self._run = run
        self._admin = admin
        self._reader = reader
        self._sender = sender
        self._checkpoint = checkpoint
        self._responses = ResponseReader(run.plan.ids, run.topics.predictions)

    def run(self, stop: Event) -> Checkpoint:
        """Run until every row is settled; see `PrecomputeRun.run`."""
        progress, sender = self._checkpoint.progress, self._sender
        last_answer = last_checkpoint = monotonic()
        while progress.in_flight or not sender.is_exhausted:
            if stop.is_set():
                self._save()
                raise Interrupted
            sent = sender.send()
            records = self._reader.poll(0.0 if sent else POLL_SECONDS, MAX_POLL_RECORDS)
            if self._settle(records):
                last_answer = monotonic()
            elif monotonic() - last_answer > self._run.limits.timeout:
                self._save()
                raise self._no_response()
            if monotonic() - last_checkpoint > CHECKPOINT_SECONDS:
                self._save()
                last_checkpoint = monotonic()
        self._checkpoint.is_complete = True
        self._save()
        return self._checkpoint

    def _settle(self, records: list[Record]) -> int:
        """Add the answers among some records; return how many rows they settle."""
        progress, settled = self._checkpoint.progress, 0
        for response in self._responses.read(records):
            if progress.settle(response.attempt, response.version, response.code):
                self._sender.forget(response.attempt.row)
                settled += 1
        self._checkpoint.responses |= format_offsets(next_offsets(records))
        return settled

    def _save(self) -> None:
        """Write the checkpoint; no request is being sent meanwhile."""
        ends = self._admin.end_offsets([self._run.topics.requests], committed=True)
        self._checkpoint.requests = format_offsets(ends)
        self._run.folder.write_checkpoint(self._checkpoint)
        self._run.on_progress(self._checkpoint.progress)

    def _no_response(self) -> NoResponse:
        topics, progress = self._run.topics, self._checkpoint.progress
        if not self._admin.count_members(topics.group("worker")):
            reason = f"no worker runs: start one with `modstream worker {topics.stream}`"
        elif progress.waiting:
            reason = "the model is still being loaded: the logs of the workers say why"
        else:
            reason = "the workers do not answer: `modstream health` and their logs say why"
        return NoResponse(
            f"{progress.in_flight:,} rows had no answer for {self._run.limits.timeout:g} s;"
            f" {reason}. The same command continues the run {self._run.plan.run}"
        )


def parse_offsets(offsets: Mapping[str, int]) -> dict[TopicPartition, int]:
    """Return offsets by `topic:partition` as offsets by partition."""
    return {TopicPartition.parse(name): offset for name, offset in offsets.items()}


def format_offsets(offsets: Mapping[TopicPartition, int]) -> dict[str, int]:
    """Return offsets by partition as offsets by `topic:partition`."""
    return {str(partition): offset for partition, offset in offsets.items()}
