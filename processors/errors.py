"""The processors' errors: why a request got no prediction, and why a joiner cannot go on.

ProcessorError
├── Refusal                    a request is answered with an error; has a `code`
│   ├── ModelUnknown           the registry has no such model or version
│   ├── ModelUnavailable       there is one, but it cannot be had now
│   ├── InvalidInput           the model's input schema refuses a row
│   ├── NoAnswer               the model has no finite answer, or its runtime failed on this row
│   ├── Expired                the deadline had passed before the request was looked at
│   └── DeadlineUnreadable     the deadline is no time
└── JoinerError                ends the joiner's process, which a supervisor starts again
    ├── PartitionsDiffer       topics that are joined have different numbers of partitions
    ├── JoinerStalled          records wait, yet nothing has been committed for too long
    └── SettingUnsupported     a client setting that the joiner's Kafka client does not know
"""

from collections.abc import Mapping

from modstream.models.errors import InputError


class ProcessorError(Exception):
    """The root of everything that this room raises on purpose."""


class Refusal(ProcessorError):
    """A request is answered with an error; `code` is stable, for programs."""

    code = "refused"


class ModelUnknown(Refusal):
    """The request names a model or a version that does not exist."""

    code = "unknown_model"

    def __init__(self, model: str, version: int | str) -> None:
        super().__init__(f"there is no model {model} with version or alias {version}")


class ModelUnavailable(Refusal):
    """The model exists, but neither the registry nor this worker can provide it at the moment."""

    code = "model_unavailable"

    def __init__(self, model: str, reason: str) -> None:
        super().__init__(f"model {model} is not available now: {reason}")


class InvalidInput(Refusal):
    """A row does not fit the model's input schema; the code is the input error's own."""

    def __init__(self, error: InputError, row: int | None = None) -> None:
        place = "" if row is None else f"row {row}: "
        super().__init__(f"{place}{error}")
        self.code = error.code


class NoAnswer(Refusal):
    """The model gave no usable answer for this request."""

    code = "no_answer"

    def __init__(self, model: str, version: int, reason: str) -> None:
        super().__init__(f"model {model} version {version} gave no answer: {reason}")


class Expired(Refusal):
    """The request came, or was reached, when nobody waited for its answer any more."""

    code = "expired"

    def __init__(self, deadline: int, now: int) -> None:
        super().__init__(f"the deadline passed {now - deadline} ms ago")


class DeadlineUnreadable(Refusal):
    """The deadline header must hold milliseconds since the epoch in decimal digits."""

    code = "invalid_deadline"

    def __init__(self, value: bytes) -> None:
        super().__init__(f"the deadline header is no time in ms since the epoch: {value[:40]!r}")


class JoinerError(ProcessorError):
    """Why the joiner cannot go on."""


class PartitionsDiffer(JoinerError):
    """Topics are joined partition by partition, so each must have the same number of them."""

    def __init__(self, partitions: Mapping[str, int | None], expected: int) -> None:
        found = ", ".join(f"{topic} has {count or 'none'}" for topic, count in partitions.items())
        super().__init__(f"the join needs {expected} partitions in every topic: {found}")


class JoinerStalled(JoinerError):
    """The process is alive and does nothing."""

    def __init__(self, lag: int | None, seconds: float) -> None:
        waiting = "Kafka does not answer" if lag is None else f"{lag} offsets wait"
        super().__init__(f"{waiting} and nothing was committed for {seconds:g} s")


class SettingUnsupported(JoinerError):
    """A librdkafka setting that has no counterpart in aiokafka; its value may be a secret."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the joiner's Kafka client cannot follow the setting {name}")
