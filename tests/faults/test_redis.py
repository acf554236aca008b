"""Redis is killed several times and finally wiped, under load."""

import json
import shutil
import subprocess
import sys

import pytest

from modstream.models.examples.echo import make_echo
from modstream.models.registry.connection import RegistrySettings
from modstream.models.registry.registry import Registry
from modstream.operations.verify.echo import ECHO_MODEL
from modstream.operations.verify.run import VerificationRun
from modstream.registry.access import open_registry
from modstream.registry.events import publish_event
from modstream.stack.embedded import EmbeddedServer
from modstream.stack.local_stack import child_environment
from tests.faults.harness import TIMEOUT_SECONDS, FaultHarness, at_progress, wait_until

pytestmark = [pytest.mark.fault, pytest.mark.real, pytest.mark.long]

WORKERS, KILLS = 2, 5
UNAVAILABLE, AVAILABLE = "registry unavailable", "registry available again"
ELSEWHERE = "published-elsewhere"


@pytest.fixture
def redis(redis_server):
    return redis_server()


@pytest.fixture
def settings(settings, redis: EmbeddedServer):
    """The settings of the fault tests, with a Redis that may be killed."""
    return settings.model_copy(update={"redis": redis.url})


def publish_versions(harness: FaultHarness):
    """Publish three echo versions, a second alias, and a model that has no backup here."""
    spec, artifact = make_echo(ECHO_MODEL)
    with open_registry(harness.settings) as registry:
        for note in ("second", "third"):
            again = spec.model_copy(update={"note": note, "parent": 1, "offsets": {note: 1}})
            publish_event(
                harness.settings, registry.publish(again, artifact), "publish", "champion"
            )
        publish_event(
            harness.settings, registry.promote(ECHO_MODEL, 1, "shadow"), "promote", "shadow"
        )
        publish_event(harness.settings, registry.rollback(ECHO_MODEL), "rollback", "champion")
    elsewhere = RegistrySettings(prefix=f"{harness.settings.prefix}modstream")
    with Registry(harness.settings.redis, elsewhere) as registry:
        publish_event(
            harness.settings, registry.publish(*make_echo(ELSEWHERE)), "publish", "champion"
        )


def registry_content(harness: FaultHarness, name=ECHO_MODEL):
    with open_registry(harness.settings) as registry:
        cards = registry.versions(name)
        return cards, registry.aliases(name), [registry.artifact(card).content for card in cards]


def kill_redis(harness: FaultHarness, run: VerificationRun, redis: EmbeddedServer, number):
    """Kill Redis, and wait until every worker has noticed and still answers requests."""
    redis.kill()
    answered = run.answered
    wait_until(
        lambda: count_logged(harness, UNAVAILABLE) == WORKERS * number,
        f"{UNAVAILABLE}, {number} times",
    )
    assert run.wait_for_answers(answered + 100, TIMEOUT_SECONDS), "answered without Redis"


def count_logged(harness: FaultHarness, event):
    return sum(harness.log(worker).count(event) for worker in range(WORKERS))


def restore(harness: FaultHarness):
    """Run `modstream models restore`; return the exit code and the status of each item."""
    done = subprocess.run(
        [sys.executable, "-m", "modstream", "models", "restore", "--json"],
        env=child_environment(harness.settings),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    found = json.loads(done.stdout)
    return done.returncode, {(f["model"], f["alias"] or f["version"]): f["status"] for f in found}


def test_no_answer_is_lost_when_redis_is_killed_five_times_and_wiped_once(
    harness: FaultHarness, redis: EmbeddedServer
):
    publish_versions(harness)
    before, kills = registry_content(harness), KILLS * harness.times
    harness.start_workers(WORKERS)

    with harness.start_run(20_000) as run:
        for number, _ in enumerate(at_progress(run, kills + 1), start=1):
            kill_redis(harness, run, redis, number)
            if number > kills:
                shutil.rmtree(redis.spec.folder / "appendonlydir")
            redis.start()
            wait_until(
                lambda n=number: count_logged(harness, AVAILABLE) == WORKERS * n,
                f"{AVAILABLE}, {number} times",
            )
        wiped = registry_content(harness)
        assert run.wait_for_answers(run.answered + 100, TIMEOUT_SECONDS), (
            "answered without a registry"
        )
        code, statuses = restore(harness)
        result = harness.finish("redis kill -9, wipe", run, kills + 1)

    assert result.fault_counts == {}
    assert result.exits == {"prediction": run.plan.requests}, "no errors"
    assert wiped == ([], {}, [])
    assert statuses == {
        **{(ECHO_MODEL, of): "restored" for of in (1, 2, 3, "champion", "shadow")},
        **{(ELSEWHERE, of): "lost" for of in (1, "champion")},
    }
    assert code == 1, "a model is lost"
    assert registry_content(harness) == before
    harness.stop(0)
    harness.start(0)
    harness.wait_for_members(WORKERS)
    with harness.start_run(500) as run:
        assert harness.finish("redis restored", run, 0).fault_counts == {}
