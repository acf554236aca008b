"""Settings of inference: the route, the traffic split, and what a prediction records."""

from dataclasses import dataclass

from modstream.models.registry.refs import CHAMPION
from modstream.processors.predict.traffic_split import alias_for


@dataclass(frozen=True, slots=True)
class InferenceSettings:
    """How the requests of a stream are answered.

    `route` lists the models that answer a request without a model name; the first is the primary.
    `record_features` keeps the features of a request of up to `max_recorded_rows` rows with the
    primary's prediction, for the learner. `challenger_share` of the keys, 0 to 1, are answered by
    the challenger where there is one, if the request names neither a model nor a version.
    """

    route: tuple[str, ...]
    record_features: bool = True
    challenger_share: float = 0.0
    max_recorded_rows: int = 1000

    def models_for(self, model: str | None) -> tuple[str, ...]:
        """Return the models that answer a request for this model, or for none."""
        return self.route if model is None else (model,)

    def ref_for(self, model: str | None, version: int | str, key: bytes) -> int | str:
        """Return the version or alias that a request asks for, or that its key is assigned to."""
        if not self.challenger_share or model is not None or version != CHAMPION:
            return version
        return alias_for(key, self.challenger_share)
