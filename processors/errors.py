"""The processors' errors: refusals of requests, and errors that end a process.

ProcessorError
├── Refusal                    a request is answered with an error; has a `code`
│   ├── UnknownModel           the registry has no such model or version
│   ├── ModelUnavailable       the model exists, but cannot be loaded now
│   ├── ModelNotReady          the model is being loaded
│   ├── InvalidInput           the model's input schema refuses a row
│   ├── TensorsExpected        the model takes tensors, and the request has rows by name
│   ├── NoOutput               the model has no finite output, or its runtime failed on this row
│   ├── StepFailed             a step of a pipeline failed on this row
│   ├── AnswerTooLarge         the prediction is larger than its topic takes
│   ├── DeadlineExceeded       the deadline had passed before the request was handled
│   └── InvalidDeadline        the deadline is not a time
├── StepUnusable               a step of a pipeline cannot run on any row of a batch
├── UnreadableConformalState   stored thresholds of sets are damaged or have an unknown format
├── InvalidFeatures            the definitions of a stream's features are wrong
├── UnreadableFeatureState     a stored partial aggregate is damaged or has an unknown format
├── TooManyPartials            a stream's features need more partial aggregates than are allowed
├── StateUnusable              state on disk cannot be read or written; ends the process
│   ├── StateDamaged           its files are damaged; the next start rebuilds it from the changelog
│   ├── StateForeign           it belongs to another changelog; likewise
│   └── StateInUse             another process has it open
└── JoinerError                ends the joiner's process, which a supervisor starts again
    ├── PartitionCountMismatch topics that are joined have different numbers of partitions
    ├── JoinerStalled          records wait, but nothing was committed for too long
    ├── UnsupportedSetting     a client setting that the joiner's Kafka client does not know
    └── TokenRefused           an OpenID provider issues no token for the joiner
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from modstream.broker.errors import EndsProcess
from modstream.models.errors import InputError


class ProcessorError(Exception):
    """The root of all errors that this room raises on purpose."""


class Refusal(ProcessorError):
    """A request is answered with an error; `code` is stable, for programs."""

    code = "refused"


class UnknownModel(Refusal):
    """The request names a model or a version that does not exist."""

    code = "unknown_model"

    def __init__(self, model: str, version: int | str) -> None:
        super().__init__(f"model {model} has no version or alias {version}")


class ModelUnavailable(Refusal):
    """The model exists, but the worker cannot load it at the moment."""

    code = "model_unavailable"

    def __init__(self, model: str, reason: str) -> None:
        super().__init__(f"model {model} cannot be loaded now: {reason}")


class ModelNotReady(Refusal):
    """The model is being loaded beside the requests; a later one may be answered."""

    code = "model_loading"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)


class InvalidInput(Refusal):
    """A row does not fit the model's input schema; the code is the input error's own."""

    def __init__(self, error: InputError, row: int | None = None) -> None:
        prefix = "" if row is None else f"row {row}: "
        super().__init__(f"{prefix}{error}")
        self.code = error.code


class TensorsExpected(Refusal):
    """The model takes tensors of the Open Inference Protocol, not rows by name."""

    code = "tensors_expected"

    def __init__(self, model: str, tensors: Sequence[str]) -> None:
        super().__init__(f"model {model} takes the tensors {', '.join(tensors)}: send `inputs`")


class NoOutput(Refusal):
    """The model has no usable output for this request."""

    code = "no_output"

    def __init__(self, model: str, version: int, reason: str) -> None:
        super().__init__(f"model {model} version {version} has no output here: {reason}")


class StepFailed(Refusal):
    """A step of a pipeline failed; the code is that of the cause, where it has one of its own."""

    code = "step_failed"

    def __init__(self, pipeline: str, step: str, cause: Refusal | str) -> None:
        super().__init__(f"pipeline {pipeline}: step {step}: {cause}")
        if isinstance(cause, Refusal):
            self.code = cause.code


class AnswerTooLarge(Refusal):
    """The prediction is larger than the topic of predictions takes."""

    code = "answer_too_large"

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(
            f"the answer has {size:,} bytes, and its topic takes {limit:,}: "
            "send the rows in several requests"
        )


class DeadlineExceeded(Refusal):
    """The deadline of the request had passed before the request was handled."""

    code = "deadline_exceeded"

    def __init__(self, deadline: int, now: int) -> None:
        super().__init__(f"the deadline passed {now - deadline} ms ago")


class InvalidDeadline(Refusal):
    """The deadline header does not hold milliseconds since the epoch in decimal digits."""

    code = "invalid_deadline"

    def __init__(self, value: bytes) -> None:
        super().__init__(
            "the deadline header must be milliseconds since the epoch in decimal digits, "
            f"not {value[:40]!r}"
        )


class StepUnusable(ProcessorError):
    """A step of a pipeline cannot run on any row, as the versions of its models are now."""


class UnreadableConformalState(ProcessorError):
    """Stored thresholds of conformal sets are damaged, or have a format unknown to this code."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the stored state of conformal sets cannot be read: {reason}")


class InvalidFeatures(ProcessorError):
    """The definitions of a stream's features are wrong; each problem has a line."""

    def __init__(self, source: str, problems: Sequence[object]) -> None:
        super().__init__("\n".join(f"{source}: {problem}" for problem in problems))
        self.source, self.problems = source, tuple(problems)


class UnreadableFeatureState(ProcessorError):
    """A stored partial aggregate is damaged, or has a format unknown to this code."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the stored state of features cannot be read: {reason}")


class TooManyPartials(ProcessorError, EndsProcess):
    """The features of a stream have more partial aggregates than the settings allow."""

    def __init__(self, found: int, limit: int, largest: Sequence[str]) -> None:
        super().__init__(
            f"the stream's features have {found:,} partial aggregates, more than the {limit:,} that"
            " stream_features.max_partials allows: remove or shorten features with many groups"
            f" ({', '.join(largest)}), keep them on disk (stream_features.store), or raise the"
            " limit. No event is lost: counting continues where it ended"
        )


class JoinerError(ProcessorError, EndsProcess):
    """An error that ends the joiner."""


class PartitionCountMismatch(JoinerError):
    """The topics of the join have different partition counts; they are joined by partition."""

    def __init__(self, partitions: Mapping[str, int | None], expected: int) -> None:
        found = ", ".join(f"{topic} has {count or 'none'}" for topic, count in partitions.items())
        super().__init__(
            f"the join needs {expected} partitions in every topic, but {found}:"
            " create the topics again with the partition count in the settings"
        )


class JoinerStalled(JoinerError):
    """Records wait, and nothing was committed within the stall timeout."""

    def __init__(self, lag: int | None, seconds: float, cause: str = "") -> None:
        waiting = f"Kafka does not answer ({cause})" if lag is None else f"{lag} offsets wait"
        super().__init__(f"{waiting} and nothing was committed for {seconds:g} s")


class StateUnusable(ProcessorError, EndsProcess):
    """State on disk, a copy of a changelog, cannot be read or written."""

    def __init__(
        self, folder: Path, reason: str, remedy: str = "make room, or let the folder be written"
    ) -> None:
        super().__init__(
            f"the state in {folder} cannot be used: {reason}; {remedy}. Nothing is lost:"
            " its topic has all of it"
        )
        self.reason = reason


class StateDamaged(StateUnusable):
    """The files of the state are damaged."""

    def __init__(self, folder: Path, reason: str) -> None:
        super().__init__(folder, reason, "the next start rebuilds it")


class StateForeign(StateUnusable):
    """The state belongs to another changelog than the one that is read."""

    def __init__(self, folder: Path) -> None:
        reason = "it was written from another changelog of this name"
        super().__init__(folder, reason, "the next start rebuilds it")


class StateInUse(StateUnusable):
    """Another process has the state open."""

    def __init__(self, folder: Path) -> None:
        remedy = "stop that one, or set another instance_id for this one"
        super().__init__(folder, "another process uses it", remedy)


class UnsupportedSetting(JoinerError):
    """A librdkafka setting that has no counterpart in aiokafka; its value may be a secret."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"the joiner's Kafka client does not support the setting {name}:"
            " remove it, or use one of the supported sasl.* and ssl.* settings"
        )


class TokenRefused(JoinerError):
    """An OpenID provider issues no token for the joiner, or cannot be reached."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(f"no token from {url}: {reason}")
