"""Settings of the inference log; this module imports no other of modstream."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class InferenceLogSettings:
    """Whether requests are logged, what the log contains, and for how long it is kept."""

    enabled: bool = False
    """Whether a worker writes one record to `<stream>.inferences` for each request, in the same
    transaction as the answer. `modstream topics create` creates the topic."""
    features: bool = False
    """Whether the log contains the features that the primary model has predicted on. They are those
    of its prediction, so `record_features` must be on."""
    outputs: bool = False
    """Whether the log contains the outputs of the models."""
    sample: float = 1.0
    """Share of the request ids, 0 to 1, whose features and outputs are logged; the same ids in
    every worker. Everything else is logged of all requests."""
    redact: tuple[str, ...] = ()
    """Names of features and outputs whose values are never logged, besides the features that a
    model's schema marks as sensitive."""
    retention_days: int = 0
    """Days for which the created topic keeps the log; with 0, as long as the other topics."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        if not 0 <= self.sample <= 1:
            raise ValueError("a share is a number from 0 to 1")
        if self.retention_days < 0:
            raise ValueError("the days are a positive number, or 0")
