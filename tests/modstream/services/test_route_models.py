"""What a worker does about models of its route that cannot be loaded."""

import pytest
from structlog.testing import capture_logs

from modstream.models.errors import ModelLoading, TrialFailed, UntrustedModel
from modstream.models.registry.errors import ModelNotFound, RegistryUnavailable, UnreadableCard
from modstream.services.route_models import describe_problems, is_settled


class Models:
    """A model cache whose load ends as the test says."""

    def __init__(self, error=None, problems=(), versions=()):
        self.error = error
        self.problems, self.versions = dict(problems), dict(versions)

    def load(self, name, timeout):
        if self.error is not None:
            raise self.error


def test_a_loaded_model_is_settled():
    with capture_logs() as logs:
        assert is_settled(Models(), "m")
    assert logs == []


@pytest.mark.parametrize(
    "error",
    [
        TrialFailed("m", "it never ends"),
        UntrustedModel("m", 1, "it is not signed"),
        UnreadableCard("m", 1, "it is damaged"),
    ],
)
def test_a_model_that_cannot_be_loaded_is_settled_loudly(error):
    with capture_logs() as logs:
        assert is_settled(Models(error), "m")

    (entry,) = logs
    assert entry["log_level"] == "error"
    assert (entry["model"], entry["reason"]) == ("m", str(error))


@pytest.mark.parametrize(
    "error",
    [ModelLoading("m", "champion"), ModelNotFound("m", "champion"), RegistryUnavailable("down")],
)
def test_a_model_that_may_still_come_is_waited_for(error):
    with pytest.raises(type(error)):
        is_settled(Models(error), "m")


def test_problems_say_what_serves_instead():
    problems = {("a", "champion"): "it never ends", ("b", "shadow"): "it is damaged"}

    text = describe_problems(Models(None, problems, {("b", "shadow"): 3}))

    assert text == (
        "the champion of a cannot be loaded, nothing serves: it never ends;"
        " the shadow of b cannot be loaded, version 3 serves on: it is damaged"
    )
    assert describe_problems(Models()) == ""


def test_many_problems_are_counted():
    problems = {(f"m{number}", "champion"): "why" for number in range(10)}

    text = describe_problems(Models(None, problems))

    assert text.count("cannot be loaded") == 3
    assert text.endswith("; and 7 more")
