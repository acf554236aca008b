"""The libraries that a function needs, each in the version that is installed here.

So the function predicts with the same libraries as the environment that it was packaged in.
"""

from importlib.metadata import Distribution, PackageNotFoundError, distribution
from types import MappingProxyType

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from modstream.errors import InvalidValue
from modstream.packaging.target import Target

BASE = (
    *("cryptography", "msgspec", "numpy", "psutil", "pydantic", "pydantic-settings", "structlog"),
)
"""What every function imports."""
BY_RUNTIME = MappingProxyType(
    {
        "onnx": ("onnx", "onnxruntime"),
        "sklearn": ("scikit-learn", "skops", "pandas"),
        "river": ("river", "pandas"),
    }
)
BY_SOURCE = MappingProxyType({"backup": (), "registry": ("redis", "hiredis")})
BY_OUTPUT = MappingProxyType({"result": (), "kafka": ("confluent-kafka",)})
NOT_IMPORTED = frozenset(
    {"flatbuffers", "packaging", "prettytable", "pycparser", "wcwidth", "tzdata"}
)
"""Requirements of these libraries that no function imports; they are left out."""


def needed_libraries(runtime: str, source: str, output: str, target: Target) -> list[Distribution]:
    """Return the installed libraries that a function needs, with all that they require, sorted.

    Raises:
        InvalidValue: one of them is not installed here, or the runtime cannot be packaged.
    """
    if runtime not in BY_RUNTIME:
        known = ", ".join(BY_RUNTIME)
        raise InvalidValue(f"a model of the runtime {runtime} cannot be packaged, only of {known}")
    waiting = [*BASE, *BY_RUNTIME[runtime], *BY_SOURCE[source], *BY_OUTPUT[output]]
    found: dict[str, Distribution] = {}
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name in found or name in NOT_IMPORTED:
            continue
        found[name] = _installed(name)
        waiting += _requirements(found[name], target)
    return [library for _, library in sorted(found.items())]


def _installed(name: str) -> Distribution:
    try:
        return distribution(name)
    except PackageNotFoundError:
        remedy = f"install it with `pip install {name}`, since a package has the versions of this"
        raise InvalidValue(f"the library {name} is not installed: {remedy} environment") from None


def _requirements(library: Distribution, target: Target) -> list[str]:
    requirements = map(Requirement, library.requires or ())
    return [
        one.name
        for one in requirements
        if one.marker is None or one.marker.evaluate(target.markers)
    ]
