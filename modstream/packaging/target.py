"""The machine that a package is built for: Linux on one architecture, with one Python."""

import platform
import sys
from dataclasses import dataclass
from typing import Self

from packaging.tags import Tag, compatible_tags, cpython_tags

from modstream.errors import InvalidValue

ARCHITECTURES = {"x86_64": "x86_64", "arm64": "aarch64"}
"""Lambda's names of its architectures, and those of wheels."""
GLIBC_MINOR_VERSIONS = range(34, 16, -1)
"""Lambda's Amazon Linux 2023 has glibc 2.34
(https://docs.aws.amazon.com/linux/al2023/ug/glibc-gcc-and-binutils.html); older ones fit, too."""
OLDEST_PYTHON, NEWEST_PYTHON = (3, 11), (3, 14)


@dataclass(frozen=True, slots=True)
class Target:
    """An architecture, as Lambda calls it, and a Python, such as (3, 13)."""

    architecture: str
    python: tuple[int, int]

    @classmethod
    def parse(cls, architecture: str, python: str | None) -> Self:
        """Return a target; without a Python, the one that runs now.

        Raises:
            InvalidValue: modstream or Lambda has no such target.
        """
        if architecture not in ARCHITECTURES:
            known = " or ".join(ARCHITECTURES)
            raise InvalidValue(f"the platform is {architecture!r}, and must be {known}")
        major, _, minor = (python or f"3.{sys.version_info.minor}").partition(".")
        version = (int(major), int(minor)) if major.isdecimal() and minor.isdecimal() else (0, 0)
        if not OLDEST_PYTHON <= version <= NEWEST_PYTHON:
            raise InvalidValue(f"the Python is {python!r}, and must be 3.11 to 3.14")
        return cls(architecture, version)

    @property
    def python_name(self) -> str:
        """The Python as text, such as `3.13`."""
        return f"{self.python[0]}.{self.python[1]}"

    @property
    def is_python_here(self) -> bool:
        """Whether this process runs the target's Python, so that it can compile for it."""
        return self.python == sys.version_info[:2] and sys.implementation.name == "cpython"

    @property
    def runs_here(self) -> bool:
        """Whether a package for this target can be tried on this machine."""
        is_machine = platform.machine() == ARCHITECTURES[self.architecture]
        return self.is_python_here and is_machine and sys.platform == "linux"

    @property
    def platforms(self) -> list[str]:
        """The names of this platform in wheels, the newest first."""
        machine = ARCHITECTURES[self.architecture]
        versions = [f"manylinux_2_{minor}_{machine}" for minor in GLIBC_MINOR_VERSIONS]
        return [*versions, f"manylinux2014_{machine}"]

    @property
    def tags(self) -> frozenset[Tag]:
        """The tags of the wheels that fit."""
        own = cpython_tags(self.python, platforms=self.platforms)
        interpreter = f"cp{self.python[0]}{self.python[1]}"
        general = compatible_tags(self.python, interpreter, self.platforms)
        return frozenset([*own, *general])

    @property
    def markers(self) -> dict[str, str]:
        """The environment that the conditions of requirements are evaluated in."""
        return {
            "python_version": self.python_name,
            "python_full_version": f"{self.python_name}.0",
            "implementation_name": "cpython",
            "platform_python_implementation": "CPython",
            "platform_machine": ARCHITECTURES[self.architecture],
            "platform_system": "Linux",
            "sys_platform": "linux",
            "os_name": "posix",
            "extra": "",
        }
