"""The models of a worker's route: the wait for them at its start, and what is wrong with them."""

import structlog

from modstream.models.errors import ModelError, ModelLoading
from modstream.models.registry.errors import ModelNotFound, RegistryUnavailable
from modstream.models.registry.refs import CHAMPION
from modstream.models.serving.model_cache import ModelCache

POLL_SECONDS = 2.0
"""How long one call of `is_settled` waits for a load, so that a stop signal is noticed."""
MAX_SHOWN_PROBLEMS = 3


def is_settled(models: ModelCache, model: str) -> bool:
    """Return True: the model is loaded, or it exists and cannot be loaded.

    A worker starts without a broken model: its requests get `model_unavailable`, those to other
    models are answered, and the alias is tried again when it moves. An older version is not served
    in its place, as an alias may have been moved away from that on purpose.

    Raises:
        ModelLoading: it is being loaded.
        ModelNotFound: the model is not published yet.
        RegistryUnavailable: Redis does not answer.
    """
    try:
        models.load(model, timeout=POLL_SECONDS)
    except (ModelLoading, ModelNotFound, RegistryUnavailable):
        raise
    except ModelError as error:
        structlog.get_logger(__name__).error(
            "model of the route cannot be loaded: its requests get model_unavailable",
            model=model,
            alias=CHAMPION,
            reason=str(error),
        )
    return True


def describe_problems(models: ModelCache) -> str:
    """Return which aliases point at a version that cannot be loaded, and why; "" if none does."""
    problems, versions = models.problems, models.versions
    parts = []
    for (name, alias), reason in list(problems.items())[:MAX_SHOWN_PROBLEMS]:
        serving = versions.get((name, alias))
        instead = "nothing serves" if serving is None else f"version {serving} serves on"
        parts.append(f"the {alias} of {name} cannot be loaded, {instead}: {reason}")
    more = len(problems) - len(parts)
    return "; ".join([*parts, f"and {more} more"] if more > 0 else parts)
