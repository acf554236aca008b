"""The processors' errors: why a request that could be read was not answered with a prediction.

Refusal
├── ModelUnknown          the registry has no such model or version
├── ModelUnavailable      there is one, but it cannot be had now
├── InvalidInput          the model's input schema refuses a row
└── NoAnswer              the model has no finite answer, or its runtime failed on this row
"""

from models.errors import InputError


class Refusal(Exception):
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
