"""What a worker costs while nothing is asked of it, and how soon after its start it answers."""

from collections.abc import Iterator
from dataclasses import replace
from time import sleep, time

from bench.answers import answers_since
from bench.environment import Ground
from bench.results import Finding, Gap
from bench.rounds import Plan, laid
from bench.running import Running
from bench.saturation import PATIENCE, Unanswered
from bench.systems import OURS, Job, Subject
from bench.workloads import WORKLOADS

PART = "standing"
IDLE = 10.0
"""Seconds over which an idle worker's processor time is taken."""
REST = 2.0
"""Seconds in which a worker comes to rest after its first answer."""


def standing(ground: Ground, plan: Plan) -> Iterator[Finding | Gap]:
    """Start a worker of each delivery with one request waiting, and leave it alone after that."""
    job = laid(ground, replace(WORKLOADS[0], name="standing"), 1)
    for _ in range(plan.rounds):
        for subject in OURS:
            plan.tell(f"{PART}: {subject}")
            about = (subject.name, subject.delivery)
            try:
                start, idle = stood(job, subject)
            except Unanswered as error:
                yield Gap(PART, "start", *about, str(error))
                continue
            yield Finding(PART, "start", *about, "seconds", start)
            yield Finding(PART, "idle", *about, "CPU %", idle)


def stood(job: Job, subject: Subject) -> tuple[float, float]:
    """Seconds from the start to the first answer, and the idle worker's percents of a processor."""
    ground, topic = job.ground, job.topics.predictions
    ground.forget(job.group)
    before = ground.ends(topic)
    began = time()
    with Running(ground, [subject.command(job)]) as running:
        while ground.ends(topic) == before:
            if running.has_died() or time() - began > PATIENCE:
                raise Unanswered(f"{subject}: no answer\n{running.tail()}")
            sleep(0.05)
        answered = answers_since(ground.settings.connection, before).first / 1000
        sleep(REST)
        first = running.glance(0)
        sleep(IDLE)
        last = running.glance(0)
    return answered - began, 100 * (last.cpu - first.cpu) / (last.at - first.at)
