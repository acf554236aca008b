"""Which services a local stack starts."""

from modstream.processors.conformal.settings import ServedSetSettings
from modstream.settings import load_settings
from modstream.stack.local_stack import LocalStack


class RecordingSupervisor:
    """Keeps the commands that it should start."""

    def __init__(self):
        self.commands = {}

    def start(self, command):
        self.commands[command.name] = command


def test_a_calibrator_is_started_if_answers_are_to_have_sets(tmp_path):
    settings = load_settings(home=tmp_path)
    without = LocalStack(settings, None, RecordingSupervisor())
    without.start(1, None)
    conformal = ServedSetSettings({"online": 0.9})
    update = {"conformal": conformal}
    with_sets = LocalStack(settings.model_copy(update=update), None, RecordingSupervisor())
    with_sets.start(1, None)

    assert set(without.supervisor.commands) == {"worker-0", "joiner"}
    assert set(with_sets.supervisor.commands) == {"worker-0", "joiner", "calibrator"}
    environment = with_sets.supervisor.commands["worker-0"].env
    assert '"online": 0.9' in environment["MODSTREAM_CONFORMAL"]


def test_a_service_reads_the_coverage_that_its_stack_was_given(tmp_path, monkeypatch):
    conformal = ServedSetSettings({"online": 0.9, "eta": 0.95}, min_labels=50)
    settings = load_settings(home=tmp_path, conformal=conformal)
    stack = LocalStack(settings, None, RecordingSupervisor())
    stack.start(1, None)
    (variable,) = {
        (name, value)
        for name, value in stack.supervisor.commands["worker-0"].env.items()
        if name == "MODSTREAM_CONFORMAL"
    }
    monkeypatch.setenv(*variable)

    assert load_settings(home=tmp_path).conformal == conformal


def test_coverage_of_one_model_is_set_by_a_variable(tmp_path, monkeypatch):
    monkeypatch.setenv("MODSTREAM_CONFORMAL__COVERAGE", '{"online": 0.8}')

    assert load_settings(home=tmp_path).conformal == ServedSetSettings({"online": 0.8})
