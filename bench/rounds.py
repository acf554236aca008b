"""The contest: all subjects on the same requests, in turn, round by round."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from bench.environment import PARTITIONS, Ground
from bench.results import Finding, Gap, with_limits
from bench.saturation import Saturation, Unanswered, saturate
from bench.systems import LEAN, LIMITS, OURS, Job, Subject
from bench.targets import CPU, MEMORY, THROUGHPUT
from bench.workloads import Workload
from modstream.broker.errors import BrokerError

PART = "saturation"
LIVE = 1500
"""Records a second that are sent to a subject which must be up before they come."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured.

    `seconds` bounds the measured stretch of one run of one subject, `most` the requests that are
    laid ready for it.
    """

    workloads: tuple[Workload, ...]
    peers: tuple[Subject, ...] = ()
    rounds: int = 3
    seconds: float = 8.0
    tell: Callable[[str], None] = lambda _doing: None
    most: int = 1_000_000

    def count(self, workload: Workload) -> int:
        """How many of a workload's requests are laid ready."""
        return min(int(workload.rate * self.seconds), self.most)


@dataclass(frozen=True, slots=True)
class Match:
    """One comparison: a job whose `count` requests lie ready, for so many processes at a time."""

    part: str
    case: str
    job: Job
    count: int
    workers: int = 1


def contest(ground: Ground, plan: Plan) -> Iterator[Finding | Gap]:
    """What the limit, modstream and the peers do with each workload."""
    for workload in plan.workloads:
        plan.tell(f"{workload.name}, {workload.meaning}: laying requests ready")
        count = plan.count(workload)
        match = Match(PART, workload.name, laid(ground, workload, count), count)
        everyone = (*LIMITS, *OURS, *LEAN, *plan.peers)
        able = [subject for subject in everyone if subject.reads(workload)]
        yield from turns(match, able, plan)
        cleared(match)


def laid(ground: Ground, workload: Workload, count: int, partitions: int = PARTITIONS) -> Job:
    """The job of a workload, its model published and so many requests in its topic."""
    topics = ground.create(workload.name, partitions)
    model = ground.publish(workload.exhibit())
    ground.lay(workload.requests(topics.requests, count))
    return Job(ground, workload, topics, model)


def cleared(match: Match) -> None:
    """Give back the disk that a match took."""
    topics = match.job.topics
    match.job.ground.admin.delete([topics.requests, topics.predictions])


def turns(match: Match, subjects: Sequence[Subject], plan: Plan) -> Iterator[Finding | Gap]:
    """Rounds in which the subjects take turns; who cannot answer sits out the next ones."""
    able = list(subjects)
    for number in range(1, plan.rounds + 1):
        found: list[Finding] = []
        for subject in tuple(able):
            name = f"{match.part} {match.case}"
            plan.tell(f"{name}, round {number} of {plan.rounds}: {subject}")
            try:
                found += figures(match, subject, run_of(match, subject, plan.seconds))
            except Unanswered as error:
                able.remove(subject)
                yield gap(match, subject, error)
            except BrokerError as error:
                yield gap(match, subject, error)
        yield from with_limits(found, is_limit)


def run_of(match: Match, subject: Subject, seconds: float) -> Saturation:
    """One run; one that is live gets its requests by a stream of its own, as many as it can do."""
    job = match.job
    if not subject.live:
        return saturate(job, subject, match.count, seconds, match.workers)
    topics = job.ground.create(f"{job.topics.stream}-{subject.name}")
    count = min(match.count, int(LIVE * seconds))
    return saturate(replace(job, topics=topics), subject, count, seconds)


def gap(match: Match, subject: Subject, error: Exception) -> Gap:
    """A run without figures."""
    return Gap(match.part, match.case, subject.name, subject.delivery, str(error))


def figures(match: Match, subject: Subject, run: Saturation) -> list[Finding]:
    """A run as findings."""
    about = (match.part, match.case, subject.name, subject.delivery)
    return [
        Finding(*about, THROUGHPUT, run.throughput),
        Finding(*about, CPU, run.cpu_us),
        Finding(*about, MEMORY, run.memory_mib),
    ]


def is_limit(finding: Finding) -> bool:
    """Whether a finding is the limit's."""
    return finding.subject == LIMITS[0].name
