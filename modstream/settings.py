"""The settings: read once, from the environment, a file and a running stack; frozen ever after.

Sources, the earlier wins: arguments of a command, `MODSTREAM_*` in the environment (groups with
two underscores: `MODSTREAM_BATCH__MOST=1000`), `modstream.toml` in the working directory, the
embedded stack that runs from this home (`modstream up`), the defaults.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from modstream.broker.client.connection import Connection
from modstream.broker.client.consumer import BatchSettings
from modstream.broker.wire.topics import Topics, TopicSpec
from modstream.errors import InvalidSettings
from modstream.models.serving.model_cache import ShelfSettings
from modstream.models.training.settings import TrainSettings
from modstream.processors.join.joiner import JoinerSettings
from modstream.processors.learn.publish_throttle import CadenceSettings
from modstream.processors.learn.retrain_policy import RetrainSettings
from modstream.processors.learn.settings import LearnSettings
from modstream.processors.promote.settings import GateSettings

RUNNING = "running.json"
"""In the home: where the stack that runs from it answers."""


class Settings(BaseSettings):
    """Everything that can be set; `modstream config` prints it with its sources' result."""

    model_config = SettingsConfigDict(
        env_prefix="MODSTREAM_",
        env_nested_delimiter="__",
        toml_file="modstream.toml",
        frozen=True,
        extra="forbid",
    )

    home: Path = Path(".modstream")
    """Where the embedded servers, keys, logs and reports live."""
    bootstrap: str = "localhost:9092"
    """Kafka's bootstrap servers, `host:port,...`."""
    redis: str = "redis://localhost:6379/0"
    """The registry's Redis."""
    prefix: str = ""
    """Put before every topic, group and registry key; separates installations."""
    kafka: dict[str, str] = Field(default_factory=dict)
    """Further librdkafka settings of every client, for SASL and TLS."""
    stream: str = "flights"
    """The stream that commands work on when they name none."""
    route: tuple[str, ...] = ()
    """Models that answer a request that names none, the primary first; by default the stream's
    namesake."""
    challenger_share: float = Field(default=0.0, ge=0, le=1)
    """Share of the keys that the challenger of a family answers; a key always meets the same."""
    delivery: Literal["exactly_once", "at_least_once"] = "exactly_once"
    """How answers and offsets leave a worker."""
    slot: str = Field(default="0", pattern=r"^[A-Za-z0-9._-]{1,100}$")
    """This worker's place among its kind: running workers need different ones, a restarted one
    its old one (it names the transactional id). `auto` takes the host name, as replicas need."""
    partitions: int = Field(default=4, ge=1)
    """Partitions of topics that are created."""
    retention_days: int = Field(default=7, ge=1)
    """How long records are kept."""
    largest_request: int = Field(default=1024 * 1024, ge=1)
    """Bytes of the largest request that is answered; larger ones become dead letters."""
    repeats: int = Field(default=10_000, ge=0)
    """Offsets of a partition that are looked back on: a request whose id stands among them has
    been answered and is passed over. With 0 every record is answered."""
    record_features: bool = True
    """Whether the primary's answer keeps a single row's features, which the learner needs. Where
    nothing learns, answers are smaller and cheaper without."""
    stall_seconds: float = Field(default=60.0, gt=0)
    """A worker that delivers nothing for so long while records wait ends, to be started again;
    longer than the slowest model needs for one row."""
    batch: BatchSettings = BatchSettings()
    """What a worker's batch is."""
    shelf: ShelfSettings = ShelfSettings()
    """What a worker holds of models."""
    learn: LearnSettings = LearnSettings()
    """How the learner learns."""
    members: tuple[str, ...] = ()
    """Aliases of a model's family that the learner teaches and compares; the champion is one of
    them. Without any, a model learns alone."""
    gate: GateSettings = GateSettings()
    """When a challenger is promoted, when the champion is rolled back."""
    cadence: CadenceSettings = CadenceSettings()
    """How often the learner publishes."""
    train: TrainSettings = TrainSettings()
    """How a challenger is retrained, and what it must reach."""
    retrain: RetrainSettings = RetrainSettings()
    """What has a model retrained by itself."""
    joiner: JoinerSettings = JoinerSettings()
    """How late labels are joined."""
    cellar: Path | None = None
    """Folder for copies of the models that are published and served; by default in the home."""
    signing_key: Path | None = None
    """File of the Ed25519 key that signs what is published."""
    trusted_keys: tuple[str, ...] = ()
    """Public keys (base64) whose models are served; with none, unsigned models are served too."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least level that is logged."""
    log_format: Literal["auto", "json", "console"] = "auto"
    """JSON lines, or coloured lines; auto asks whether standard error is a terminal."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the signature is pydantic's
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources; see the module."""
        file = TomlConfigSettingsSource(settings_cls)
        return (init_settings, env_settings, file, RunningStack(settings_cls, env_settings))

    @property
    def connection(self) -> Connection:
        """How Kafka is reached."""
        return Connection(self.bootstrap, self.kafka)

    def topics(self, stream: str | None = None) -> Topics:
        """The topics of a stream."""
        return Topics(stream or self.stream, self.prefix)

    def specs(self, stream: str | None = None) -> tuple[TopicSpec, ...]:
        """The topics of a stream as they are created."""
        return self.topics(stream).specs(self.partitions, self.retention_days)

    @property
    def models(self) -> tuple[str, ...]:
        """The models of the route."""
        return self.route or (self.stream,)


class RunningStack(PydanticBaseSettingsSource):
    """Where the embedded servers of this home answer, while they run."""

    def __init__(
        self, settings_cls: type[BaseSettings], environment: PydanticBaseSettingsSource
    ) -> None:
        super().__init__(settings_cls)
        self._home = Path(environment().get("home", Settings.model_fields["home"].default))

    def get_field_value(self, *_: object) -> tuple[Any, str, bool]:
        """Not asked: the source answers as a whole."""
        return None, "", False

    def __call__(self) -> dict[str, Any]:
        """The servers' addresses, or nothing."""
        return running(self._home)


def running(home: Path) -> dict[str, Any]:
    """What the stack that runs from a home says of itself; nothing if none does."""
    try:
        found = json.loads((home / RUNNING).read_text())
        os.kill(int(found.pop("pid")), 0)
    except (OSError, ValueError, KeyError):
        return {}
    return {name: value for name, value in found.items() if value is not None}


def are_configured(settings: Settings) -> bool:
    """Whether environment, file or caller named a Kafka that is not our own running stack."""
    named = "bootstrap" in settings.model_fields_set
    return named and running(settings.home).get("bootstrap") != settings.bootstrap


@contextmanager
def announce(settings: Settings) -> Iterator[None]:
    """Let other commands find the stack that this process runs, as long as the context lasts."""
    note = settings.home / RUNNING
    note.parent.mkdir(parents=True, exist_ok=True)
    found = {
        "bootstrap": settings.bootstrap,
        "redis": settings.redis,
        "stream": settings.stream,
        "route": settings.models,
        "cellar": str(settings.cellar) if settings.cellar else None,
        "signing_key": str(settings.signing_key) if settings.signing_key else None,
        "trusted_keys": settings.trusted_keys,
    }
    note.write_text(json.dumps({**found, "pid": os.getpid()}))
    try:
        yield
    finally:
        note.unlink(missing_ok=True)


def load_settings(**given: Any) -> Settings:  # noqa: ANN401 - pydantic checks them
    """Read the settings; what is given as None counts as not given.

    Raises:
        InvalidSettings: a value is not what it should be; says which and why.
    """
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        faults = [
            f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}"
            for fault in error.errors(include_url=False)
        ]
        raise InvalidSettings(faults) from None
    except ValueError as error:
        raise InvalidSettings([str(error)]) from None
