"""Redis is killed and in the end wiped while requests keep coming."""

import json
import shutil
import subprocess
import sys

import pytest

from modstream.models.examples.echo import make_echo
from modstream.models.registry.connection import RegistrySettings
from modstream.models.registry.registry import Registry
from modstream.operations.verify.echo import ECHO
from modstream.registry.access import open_registry
from modstream.registry.events import tell
from modstream.stack.local_stack import environment_of
from tests.faults.harness import SECONDS, marks, until

pytestmark = [pytest.mark.fault, pytest.mark.real]

WORKERS, KILLS = 2, 5
AWAY, BACK = "registry away", "registry back"
ELSEWHERE = "published-elsewhere"


@pytest.fixture
def redis(redis_server):
    return redis_server()


@pytest.fixture
def settings(settings, redis):
    """The suite's settings, with a Redis that may be harmed."""
    return settings.model_copy(update={"redis": redis.url})


def versions_and_aliases(scene):
    """Three versions of the echo model, an alias beside champion, and a model of another home."""
    draft, artifact = make_echo(ECHO)
    with open_registry(scene.settings) as registry:
        for note in ("second", "third"):
            again = draft.model_copy(update={"note": note, "parent": 1, "offsets": {note: 1}})
            tell(scene.settings, registry.publish(again, artifact), "publish", "champion")
        tell(scene.settings, registry.promote(ECHO, 1, "shadow"), "promote", "shadow")
        tell(scene.settings, registry.rollback(ECHO), "rollback", "champion")
    elsewhere = RegistrySettings(prefix=f"{scene.settings.prefix}modstream")
    with Registry(scene.settings.redis, elsewhere) as registry:
        tell(scene.settings, registry.publish(*make_echo(ELSEWHERE)), "publish", "champion")


def standing(scene, name=ECHO):
    with open_registry(scene.settings) as registry:
        cards = registry.versions(name)
        return cards, registry.aliases(name), [registry.artifact(card) for card in cards]


def away(scene, trial, redis, number):
    """Kill Redis, and let requests be answered until every worker has noticed."""
    redis.kill()
    answered = trial.answered
    until(lambda: noticed(scene, AWAY) == WORKERS * number, f"{AWAY}, {number} times")
    assert trial.await_answers(answered + 100, SECONDS), "answered without Redis"


def noticed(scene, what):
    return sum(scene.log(slot).count(what) for slot in range(WORKERS))


def restore(scene):
    """`modstream models restore`, as users type it."""
    done = subprocess.run(
        [sys.executable, "-m", "modstream", "models", "restore", "--json"],
        env=environment_of(scene.settings),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    found = json.loads(done.stdout)
    return done.returncode, {(f["model"], f["alias"] or f["version"]): f["fate"] for f in found}


def test_redis_killed_five_times_and_wiped_once_costs_no_answer(scene, redis):
    versions_and_aliases(scene)
    before, kills = standing(scene), KILLS * scene.times
    scene.start_workers(WORKERS)

    with scene.trial(20_000) as trial:
        for number, _ in enumerate(marks(trial, kills + 1), start=1):
            away(scene, trial, redis, number)
            if number > kills:
                shutil.rmtree(redis.recipe.folder / "appendonlydir")
            redis.start()
            until(lambda n=number: noticed(scene, BACK) == WORKERS * n, f"{BACK}, {number} times")
        wiped = standing(scene)
        assert trial.await_answers(trial.answered + 100, SECONDS), "answered without any registry"
        code, fates = restore(scene)
        verdict = scene.judge("redis kill -9, wipe", trial, kills + 1)

    assert verdict.found == {}
    assert verdict.ways_out == {"prediction": trial.plan.number}, "no error among them"
    assert wiped == ([], {}, [])
    assert fates == {
        **{(ECHO, of): "restored" for of in (1, 2, 3, "champion", "shadow")},
        **{(ELSEWHERE, of): "gone" for of in (1, "champion")},
    }
    assert code == 1, "something is gone"
    assert standing(scene) == before
    scene.stop(0)
    scene.start(0)
    scene.await_members(WORKERS)
    with scene.trial(500) as trial:
        assert scene.judge("redis refilled", trial, 0).found == {}
