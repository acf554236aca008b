"""The settings, which are read once per command and then immutable.

Sources, in order of precedence:
  1. the options of a command
  2. `MODSTREAM_*` environment variables; the fields of a group are written with two underscores:
     `MODSTREAM_BATCH__MAX_RECORDS=1000`
  3. `modstream.toml` in the working directory
  4. the local stack that runs from this home directory (`modstream up`)
  5. the defaults
"""

import os
from contextlib import AbstractContextManager
from pathlib import Path
from socket import gethostname
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from modstream.broker.client.batch_settings import BatchSettings
from modstream.broker.client.connection import READER_GROUP, Compression, Connection
from modstream.broker.client.security import NO_GSSAPI, KafkaSecurity
from modstream.broker.wire.topics import Topics, TopicSpec
from modstream.dashboard_settings import DashboardSettings
from modstream.errors import InvalidSettings, UnknownName
from modstream.lineage_settings import LineageSettings
from modstream.metrics_settings import MetricsSettings
from modstream.mlflow_settings import MlflowSettings
from modstream.models.prediction_store.settings import PredictionStoreSettings
from modstream.models.serving.settings import ModelCacheSettings
from modstream.models.training.settings import TrainSettings
from modstream.name_hints import nearest_names
from modstream.processors.conformal.settings import ServedSetSettings
from modstream.processors.features.settings import StreamFeatureSettings
from modstream.processors.join.settings import JoinerSettings
from modstream.processors.learn.publish_throttle import PublishSettings
from modstream.processors.learn.retrain_policy import RetrainSettings
from modstream.processors.learn.settings import LearnSettings, MeanSettings
from modstream.processors.predict.log_settings import InferenceLogSettings
from modstream.processors.predict.personal_settings import PersonalSettings
from modstream.processors.promote.settings import GateSettings
from modstream.producers.gateway.settings import GatewaySettings
from modstream.redis_security import RedisSecurity
from modstream.running_stack import HomeLock, read_running_stack
from modstream.secret_files import SecretUnreadable
from modstream.serverless_settings import ServerlessSettings
from modstream.setting_names import (
    GroupListSource,
    setting_name,
    setting_names,
    unknown_variables,
    variable_name,
)
from modstream.trace_settings import TracingSettings

UNKNOWN_NAME_ERRORS = frozenset({"extra_forbidden", "unexpected_keyword_argument"})
"""Types of pydantic's errors for a name that is no field."""
REMEDY = "`modstream config --reference` lists all settings"


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
    """Further librdkafka configuration of every client, which precedes `kafka_security`."""
    kafka_security: KafkaSecurity = KafkaSecurity()
    """How clients log in to Kafka, and whether connections are encrypted."""
    redis_security: RedisSecurity = RedisSecurity()
    """How clients log in to Redis, and whether connections are encrypted."""
    compression: Compression = "none"
    """How written records are compressed. Every client reads `none` and `gzip`; `lz4` and `zstd`
    are much cheaper than `gzip`, but some clients (kafkajs, for example) need a package for
    them."""
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
    answer_events: bool = False
    """Whether the worker writes all answers as CloudEvents, in binary mode. Requests that are
    CloudEvents are answered by CloudEvents anyway."""
    stall_timeout: float = Field(default=60.0, gt=0)
    """Seconds without a delivery after which a worker exits if records are waiting, so that it is
    restarted. Must exceed the time that the slowest model needs for one row, and 15 s, for which
    the transaction of a killed worker can hold the partitions that another one takes over."""
    batch: BatchSettings = BatchSettings()
    """Size and timing of a worker's batches."""
    model_cache: ModelCacheSettings = ModelCacheSettings()
    """Size and refresh of a worker's cache of loaded models."""
    inference_log: InferenceLogSettings = InferenceLogSettings()
    """Whether the worker logs each request, and what the log contains."""
    personal: PersonalSettings = PersonalSettings()
    """Which features are personal, and what becomes of them before they go on."""
    stream_features: StreamFeatureSettings = StreamFeatureSettings()
    """How the features that the stream computes are kept and followed."""
    conformal: ServedSetSettings = ServedSetSettings()
    """Which models' answers have conformal sets or intervals, and how their thresholds adapt."""
    learn: LearnSettings = LearnSettings()
    """How the learner validates and learns feedback."""
    candidates: tuple[str, ...] = ()
    """Aliases of a model whose versions the learner trains and compares behind the promotion gate;
    one of them is the champion. Empty: the model learns alone and without a gate."""
    means: dict[str, MeanSettings] = Field(default_factory=dict)
    """Candidates whose answer is the mean of other candidates, by alias:
    `means = {mean = {parts = ["steady", "batch"]}}`."""
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
    serverless: ServerlessSettings = ServerlessSettings()
    """Which version a serverless function serves, and where its answers go."""
    gateway: GatewaySettings = GatewaySettings()
    """Where the gateway listens, how long it waits, and how much it accepts."""
    dashboard: DashboardSettings = DashboardSettings()
    """Where the dashboard listens, and who may see it."""
    prediction_store: PredictionStoreSettings = PredictionStoreSettings()
    """Where the newest prediction of each key is kept for lookups."""
    lineage: LineageSettings = LineageSettings()
    """Whether lineage events are sent, and where."""
    mlflow: MlflowSettings = MlflowSettings()
    """Whether experiments are sent to MLflow, and where."""
    metrics: MetricsSettings = MetricsSettings()
    """Where each process serves its Prometheus metrics."""
    tracing: TracingSettings = TracingSettings()
    """Whether processes send OpenTelemetry traces, and of how many requests."""
    backup_dir: Path | None = None
    """Directory of the artifact backup, with copies of the models that are published and served; by
    default in the home directory."""
    data_dir: Path | None = None
    """Directory of the catalogue of data sets; by default `data` in the home directory."""
    pipelines_dir: Path = Path("pipelines")
    """Directory of the definitions of pipelines, one TOML file each."""
    signing_key: Path | None = None
    """File of the Ed25519 private key that signs published versions."""
    trusted_keys: tuple[str, ...] = ()
    """Public keys (base64) whose signatures are accepted; if empty, unsigned models are served
    too."""
    trusted_keys_file: Path | None = None
    """File with further public keys, one in each line."""
    installation: str = Field(default="", pattern=r"^[A-Za-z0-9._-]{0,100}$")
    """Name of this installation, for which models are signed; by default the prefix and
    `modstream`. Installations that trust the same keys need different names."""
    connect_timeout: float = Field(default=2.0, gt=0)
    """Seconds within which Kafka must answer a command before it gives up, and Redis likewise."""
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
        stack = RunningStackSource(settings_cls, env_settings)
        return (init_settings, GroupListSource(settings_cls, env_settings), file, stack)

    @model_validator(mode="after")
    def _check_logged_features(self) -> Self:
        if self.inference_log.features and not self.record_features:
            raise ValueError("inference_log.features needs record_features")
        return self

    @model_validator(mode="after")
    def _check_mechanism(self) -> Self:
        for name in ("sasl.mechanism", "sasl.mechanisms"):
            if self.kafka.get(name, "").upper() == "GSSAPI":
                raise ValueError(f"kafka.{name}: {NO_GSSAPI}")
        return self

    @model_validator(mode="after")
    def _check_means(self) -> Self:
        for name, mean in self.means.items():
            if name not in self.candidates:
                raise ValueError(f"means: {name} is none of the candidates")
            for part in mean.parts:
                if part not in self.candidates or part in self.means:
                    raise ValueError(f"means.{name}: the part {part} must be another candidate")
        return self

    @property
    def connection(self) -> Connection:
        """The connection parameters of Kafka.

        Raises:
            InvalidSettings: a file with a secret cannot be read, or is empty.
        """
        try:
            options = {**self.kafka_security.options(), **self.kafka}
        except SecretUnreadable as error:
            raise InvalidSettings([f"kafka_security: {error}"]) from None
        return Connection(self.bootstrap, options, self.compression, self.reader_group)

    @property
    def reader_group(self) -> str:
        """The group id of this installation's clients that join no group."""
        return f"{self.prefix}{READER_GROUP}"

    @property
    def redis_url(self) -> str:
        """The URL of Redis with the login, as redis-py reads it: never print it.

        Raises:
            InvalidSettings: the file with the password cannot be read, or is empty.
        """
        try:
            return self.redis_security.secure(self.redis)
        except SecretUnreadable as error:
            raise InvalidSettings([f"redis_security: {error}"]) from None

    def topics(self, stream: str | None = None) -> Topics:
        """Return the topic names of a stream, by default of the one in the settings."""
        return Topics(stream or self.stream, self.prefix)

    def topic_specs(self, stream: str | None = None) -> tuple[TopicSpec, ...]:
        """Return the specifications with which a stream's topics are created."""
        days = self.inference_log.retention_days or self.retention_days
        log_days = days if self.inference_log.enabled else None
        return self.topics(stream).specs(self.partitions, self.retention_days, log_days)

    @property
    def data_folder(self) -> Path:
        """The directory of the catalogue of data sets."""
        return self.data_dir or self.home / "data"

    @property
    def installation_name(self) -> str:
        """The name for which models are signed."""
        return self.installation or f"{self.prefix}modstream"

    @property
    def instance_name(self) -> str:
        """The instance id, or this machine's host name if it is `auto`."""
        return gethostname() if self.instance_id == "auto" else self.instance_id

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


def uses_external_kafka(settings: Settings) -> bool:
    """Return whether the settings name a Kafka other than that of the running local stack."""
    is_configured = "bootstrap" in settings.model_fields_set
    return (
        is_configured and read_running_stack(settings.home).get("bootstrap") != settings.bootstrap
    )


def advertise_stack(settings: Settings, lock: HomeLock) -> AbstractContextManager[None]:
    """Let other commands in this home directory find this process's stack while it runs."""
    stack = {
        "bootstrap": settings.bootstrap,
        "redis": settings.redis,
        "stream": settings.stream,
        "route": settings.models,
        "backup_dir": _absolute(settings.backup_dir),
        "signing_key": _absolute(settings.signing_key),
        "trusted_keys": settings.trusted_keys,
        "trusted_keys_file": _absolute(settings.trusted_keys_file),
        "installation": settings.installation,
    }
    return lock.advertise(stack)


def _absolute(path: Path | None) -> str | None:
    return None if path is None else str(path.absolute())


def load_settings(**overrides: Any) -> Settings:  # noqa: ANN401 - pydantic checks them
    """Read the settings from their sources; overrides that are None are ignored.

    Raises:
        UnknownName: a variable, or a name in the file, is that of no setting.
        InvalidSettings: a value is invalid; the message names the setting and the reason.
    """
    if unknown := unknown_variables(Settings, os.environ):
        near = nearest_names(setting_name(unknown[0]), setting_names(Settings))
        raise UnknownName("setting", unknown[0], map(variable_name, near), REMEDY)
    try:
        return Settings(**{name: value for name, value in overrides.items() if value is not None})
    except ValidationError as error:
        problems = [
            (".".join(str(part) for part in problem["loc"]), problem["type"], problem["msg"])
            for problem in error.errors(include_url=False)
        ]
    except ValueError as error:
        raise InvalidSettings([str(error)]) from None
    for name, kind, _ in problems:
        if kind in UNKNOWN_NAME_ERRORS:
            near = nearest_names(name, setting_names(Settings))
            raise UnknownName("setting", name, near, REMEDY)
    raise InvalidSettings([f"{name}: {message}" for name, _, message in problems])
