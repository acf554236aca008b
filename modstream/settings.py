"""The settings, which are read once per command and then immutable.

Sources, in order of precedence:
  1. the options of a command
  2. `MODSTREAM_*` environment variables; the fields of a group are written with two underscores:
     `MODSTREAM_BATCH__MAX_RECORDS=1000`
  3. `modstream.toml` in the working directory
  4. the local stack that runs from this home directory (`modstream up`)
  5. the defaults
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

from modstream.broker.client.batch_settings import BatchSettings
from modstream.broker.client.connection import Connection
from modstream.broker.wire.topics import Topics, TopicSpec
from modstream.errors import InvalidSettings
from modstream.models.serving.settings import ModelCacheSettings
from modstream.models.training.settings import TrainSettings
from modstream.processors.join.settings import JoinerSettings
from modstream.processors.learn.publish_throttle import PublishSettings
from modstream.processors.learn.retrain_policy import RetrainSettings
from modstream.processors.learn.settings import LearnSettings
from modstream.processors.promote.settings import GateSettings

RUNNING_STACK_FILE = "running.json"
"""File in the home directory with the settings of the local stack that runs from it."""


class Settings(BaseSettings):
    """All settings; `modstream config` prints their effective values."""

    model_config = SettingsConfigDict(
        env_prefix="MODSTREAM_",
        env_nested_delimiter="__",
        toml_file="modstream.toml",
        frozen=True,
        extra="forbid",
    )

    home: Path = Path(".modstream")
    """Directory of the embedded servers' data, of keys, backups, logs and reports."""
    bootstrap: str = "localhost:9092"
    """Kafka's bootstrap servers, `host:port[,host:port...]`."""
    redis: str = "redis://localhost:6379/0"
    """URL of the Redis that holds the model registry."""
    prefix: str = ""
    """Prefix of every topic, consumer group and registry key; separates installations."""
    kafka: dict[str, str] = Field(default_factory=dict)
    """Further librdkafka configuration of every client, such as SASL and TLS."""
    stream: str = "flights"
    """The stream of commands that do not name one."""
    route: tuple[str, ...] = ()
    """Models that answer requests which name no model, the primary model first; by default the
    model that has the stream's name."""
    challenger_share: float = Field(default=0.0, ge=0, le=1)
    """Share of the keys, 0 to 1, whose requests the version under the alias `challenger` answers;
    the requests of a key are always answered by the same alias."""
    delivery: Literal["exactly_once", "at_least_once"] = "exactly_once"
    """Delivery guarantee of responses and offsets."""
    instance_id: str = Field(default="0", pattern=r"^[A-Za-z0-9._-]{1,100}$")
    """Identifies a worker and names its transactional ids. Running workers need different values; a
    restarted worker needs its old one. `auto` takes the host name, which suits replicas."""
    partitions: int = Field(default=4, ge=1)
    """Number of partitions of created topics."""
    retention_days: int = Field(default=7, ge=1)
    """Days for which created topics keep their records."""
    max_request_bytes: int = Field(default=1024 * 1024, ge=1)
    """Maximum size of a request in bytes; larger requests become dead letters."""
    dedup_window: int = Field(default=10_000, ge=0)
    """Number of a partition's latest offsets in which request ids are deduplicated: a request whose
    id occurs among them is not answered again. With 0 every request is answered."""
    record_features: bool = True
    """Whether the primary model's prediction carries the features of a single row. Learning needs
    them; where nothing learns, predictions are smaller and cheaper without them."""
    stall_timeout: float = Field(default=60.0, gt=0)
    """Seconds without a delivery after which a worker exits if records are waiting, so that it is
    restarted. Must exceed the time that the slowest model needs for one row."""
    batch: BatchSettings = BatchSettings()
    """Size and timing of a worker's batches."""
    model_cache: ModelCacheSettings = ModelCacheSettings()
    """Size and refresh of a worker's cache of loaded models."""
    learn: LearnSettings = LearnSettings()
    """How the learner validates and learns feedback."""
    candidates: tuple[str, ...] = ()
    """Aliases of a model whose versions the learner trains and compares behind the promotion gate;
    one of them is the champion. Empty: the model learns alone and without a gate."""
    gate: GateSettings = GateSettings()
    """When the gate promotes a challenger and when it rolls the champion back."""
    publish: PublishSettings = PublishSettings()
    """How often the learner publishes versions."""
    train: TrainSettings = TrainSettings()
    """How a challenger is trained and which checks it must pass."""
    retrain: RetrainSettings = RetrainSettings()
    """When the retrainer retrains a model."""
    joiner: JoinerSettings = JoinerSettings()
    """How late labels are joined with predictions."""
    backup_dir: Path | None = None
    """Directory of the artifact backup, with copies of the models that are published and served; by
    default in the home directory."""
    signing_key: Path | None = None
    """File of the Ed25519 private key that signs published versions."""
    trusted_keys: tuple[str, ...] = ()
    """Public keys (base64) whose signatures are accepted; if empty, unsigned models are served
    too."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Minimum level that is logged."""
    log_format: Literal["auto", "json", "console"] = "auto"
    """JSON lines or coloured lines; `auto` logs coloured lines if standard error is a terminal."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the signature is pydantic's
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources as the module's docstring says."""
        file = TomlConfigSettingsSource(settings_cls)
        return (init_settings, env_settings, file, RunningStackSource(settings_cls, env_settings))

    @property
    def connection(self) -> Connection:
        """The connection parameters of Kafka."""
        return Connection(self.bootstrap, self.kafka)

    def topics(self, stream: str | None = None) -> Topics:
        """Return the topic names of a stream, by default of the one in the settings."""
        return Topics(stream or self.stream, self.prefix)

    def topic_specs(self, stream: str | None = None) -> tuple[TopicSpec, ...]:
        """Return the specifications with which a stream's topics are created."""
        return self.topics(stream).specs(self.partitions, self.retention_days)

    @property
    def models(self) -> tuple[str, ...]:
        """The models of the route."""
        return self.route or (self.stream,)


class RunningStackSource(PydanticBaseSettingsSource):
    """The settings of the local stack that runs from this home directory, if there is one."""

    def __init__(
        self, settings_cls: type[BaseSettings], environment: PydanticBaseSettingsSource
    ) -> None:
        super().__init__(settings_cls)
        self._home = Path(environment().get("home", Settings.model_fields["home"].default))

    def get_field_value(self, *_: object) -> tuple[Any, str, bool]:
        """Return no value: the source provides all its values in `__call__`."""
        return None, "", False

    def __call__(self) -> dict[str, Any]:
        """Return the running stack's settings, or an empty mapping."""
        return read_running_stack(self._home)


def read_running_stack(home: Path) -> dict[str, Any]:
    """Return the settings of the stack that runs from a home directory; empty if there is none."""
    try:
        stack = json.loads((home / RUNNING_STACK_FILE).read_text())
        os.kill(int(stack.pop("pid")), 0)
    except (OSError, ValueError, KeyError):
        return {}
    return {name: value for name, value in stack.items() if value is not None}


def uses_external_kafka(settings: Settings) -> bool:
    """Return whether the settings name a Kafka other than that of the running local stack."""
    is_configured = "bootstrap" in settings.model_fields_set
    return (
        is_configured and read_running_stack(settings.home).get("bootstrap") != settings.bootstrap
    )


@contextmanager
def advertise_stack(settings: Settings) -> Iterator[None]:
    """Let other commands in this home directory find this process's stack while it runs."""
    file = settings.home / RUNNING_STACK_FILE
    file.parent.mkdir(parents=True, exist_ok=True)
    stack = {
        "bootstrap": settings.bootstrap,
        "redis": settings.redis,
        "stream": settings.stream,
        "route": settings.models,
        "backup_dir": str(settings.backup_dir) if settings.backup_dir else None,
        "signing_key": str(settings.signing_key) if settings.signing_key else None,
        "trusted_keys": settings.trusted_keys,
    }
    file.write_text(json.dumps({**stack, "pid": os.getpid()}))
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def load_settings(**overrides: Any) -> Settings:  # noqa: ANN401 - pydantic checks them
    """Read the settings from their sources; overrides that are None are ignored.

    Raises:
        InvalidSettings: a value is invalid; the message names the setting and the reason.
    """
    try:
        return Settings(**{name: value for name, value in overrides.items() if value is not None})
    except ValidationError as error:
        problems = [
            f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}"
            for problem in error.errors(include_url=False)
        ]
        raise InvalidSettings(problems) from None
    except ValueError as error:
        raise InvalidSettings([str(error)]) from None
