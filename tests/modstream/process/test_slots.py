"""Of the workers with one instance id, and of the learners of one model, one runs from a home."""

import subprocess
import sys

import pytest

from modstream.errors import SlotTaken
from modstream.process.slots import claim_model, claim_worker, free_instances
from modstream.settings import Settings, load_settings

pytestmark = pytest.mark.slow

HOLDER = """
import sys
from modstream.process.slots import claim_model, claim_worker
from modstream.settings import load_settings

settings = load_settings(home=sys.argv[1], instance_id="0", stream="flights")
with claim_worker(settings), claim_model(settings, "learner", "online"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def settings(tmp_path) -> Settings:
    return load_settings(home=tmp_path, instance_id="0", stream="flights")


@pytest.fixture
def holder(tmp_path):
    argv = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def test_a_second_worker_with_the_same_instance_id_is_refused_with_a_free_one(holder, settings):
    expected = rf"worker 0 of stream flights runs already, .*pid {holder.pid}.* --instance-id 1"

    with pytest.raises(SlotTaken, match=expected), claim_worker(settings):
        pass

    assert free_instances(settings, 2) == ["1", "2"]


@pytest.mark.slow
@pytest.mark.parametrize("update", [{"instance_id": "1"}, {"stream": "iris"}, {"prefix": "test."}])
def test_workers_with_another_identity_run_beside_it(holder, settings, update):
    with claim_worker(settings.model_copy(update=update)):
        pass


def test_the_instance_id_of_a_killed_worker_is_free(holder, settings):
    holder.kill()
    holder.wait()

    with claim_worker(settings):
        assert free_instances(settings, 1) == ["1"]


def test_a_second_learner_of_a_model_is_refused(holder, settings):
    with pytest.raises(SlotTaken, match="the learner of model online runs already"):
        claim_model(settings, "learner", "online").__enter__()

    with claim_model(settings, "learner", "frozen"), claim_model(settings, "retrainer", "online"):
        pass


def test_a_home_that_cannot_be_written_does_not_stop_a_worker(settings, tmp_path):
    (tmp_path / "file").write_text("")

    with claim_worker(settings.model_copy(update={"home": tmp_path / "file"})):
        pass
