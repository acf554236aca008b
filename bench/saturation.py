"""Saturation: how fast a subject works off requests that lie ready, and what that costs.

Seconds are those between the first and the last answer, by the broker's clock (LogAppendTime);
processor time is the subject's own, over the same stretch. A subject that would take too long is
stopped, and what it has answered by then counts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic, sleep
from typing import NamedTuple

from bench.answers import Answers, answers_since
from bench.running import Glance, Running
from bench.systems import Job, Subject
from modstream.broker.wire.records import TopicPartition

GLANCE = 0.1
"""Seconds between two looks at a subject."""
SILENCE = 1.0
"""Seconds without a new answer after which the last one has come."""
PATIENCE = 300.0
"""Seconds in which the first answer must have come: on a busy machine a start takes long."""
MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Saturation:
    """What one run found; `whole` says whether every request was answered before it was stopped."""

    records: int
    seconds: float
    cpu_us: float
    memory_mib: float
    whole: bool

    @property
    def throughput(self) -> float:
        """Answers a second."""
        return self.records / self.seconds


class Unanswered(Exception):
    """A subject did not answer, refused what it was asked, or answered more than once."""


def saturate(job: Job, subject: Subject, count: int, most: float, workers: int = 1) -> Saturation:
    """Let a subject work off `count` requests, for at most `most` seconds from its first answer.

    Raises:
        Unanswered: there is nothing to be measured.
    """
    ground = job.ground
    ground.forget(job.group)
    ground.admin.await_decided([job.topics.predictions])
    commands = [subject.command(each) for each in slots(job, workers)]
    before = marked(job)
    with Running(ground, commands) as running:
        if subject.live:
            before = roused(job, subject, running)
            ground.lay(job.workload.requests(job.topics.requests, count, subject.headers))
        glances = watch(job, running, before, count, most)
    if marked(job).letters > before.letters:
        raise Unanswered(f"{subject}: not supported, the requests became dead letters")
    answers = answers_since(ground.settings.connection, before.answers)
    _check(subject, answers, count, running.tail())
    return found(glances, answers, count)


def slots(job: Job, workers: int) -> list[Job]:
    """The same job for each of several processes."""
    return [Job(job.ground, job.workload, job.topics, job.model, slot) for slot in range(workers)]


class Mark(NamedTuple):
    """Where the answers of a stream end, and how many dead letters it has."""

    answers: dict[TopicPartition, int]
    letters: int


def marked(job: Job) -> Mark:
    """How a job's topics stand now."""
    topics, ends = job.topics, job.ground.ends
    return Mark(ends(topics.predictions), sum(ends(topics.dlq).values()))


def roused(job: Job, subject: Subject, running: Running) -> Mark:
    """Send a request every now and then until one is answered; where the answers end then."""
    began, topic = monotonic(), job.topics.requests
    before = after = marked(job)
    while after == before and not running.has_died() and monotonic() - began < PATIENCE:
        job.ground.lay(job.workload.requests(topic, 1, subject.headers))
        sleep(SILENCE)
        after = marked(job)
    return after


def watch(job: Job, running: Running, before: Mark, count: int, most: float) -> list[Glance]:
    """Look at a subject from its first answer until its last, or for at most so many seconds."""
    began, already = monotonic(), sum(before.answers.values())
    glances: list[Glance] = []
    while not running.has_died():
        now = marked(job)
        answered = sum(now.answers.values()) - already
        if answered:
            glances.append(running.glance(answered))
        elif monotonic() - began > PATIENCE or now.letters > before.letters:
            break
        if glances and (glances[-1].at - glances[0].at > most or _is_over(glances, count)):
            break
        sleep(GLANCE)
    return glances


def _is_over(glances: Sequence[Glance], count: int) -> bool:
    """Whether all has been answered and for a while nothing new; ends count markers, too."""
    now = glances[-1]
    since = next(each.at for each in glances if each.answered == now.answered)
    return now.answered >= count and now.at - since > SILENCE


def _check(subject: Subject, answers: Answers, count: int, log: str) -> None:
    if answers.errors:
        raise Unanswered(f"{subject}: {answers.errors} errors, first {answers.first_error!r}")
    if answers.seconds <= 0:
        raise Unanswered(f"{subject}: {answers.count} of {count} answers\n{log}")
    if subject.delivery == "exactly_once" and answers.count > count:
        raise Unanswered(f"{subject}: {answers.count} answers to {count} requests")


def found(glances: Sequence[Glance], answers: Answers, count: int) -> Saturation:
    """The figures of a run; processor time is taken until the last new answer.

    Raises:
        Unanswered: all was over before it could be looked at twice.
    """
    first = glances[0]
    last = next(each for each in glances if each.answered == glances[-1].answered)
    if last is first:
        raise Unanswered(f"{answers.count} answers came between two looks: lay more ready")
    return Saturation(
        records=answers.count,
        seconds=answers.seconds,
        cpu_us=1e6 * (last.cpu - first.cpu) / (last.answered - first.answered),
        memory_mib=max(each.memory for each in glances) / MIB,
        whole=answers.count >= count,
    )
