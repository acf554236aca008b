"""What a function's container keeps from call to call: the loaded version and the output."""

from collections.abc import Callable
from functools import cached_property
from pkgutil import resolve_name
from types import MappingProxyType

from modstream.models.registry.refs import parse_ref
from modstream.models.serving.loaded_models import LoadedModel
from modstream.serverless.output import Output
from modstream.serverless.responder import Responder
from modstream.settings import Settings, load_settings

Loader = Callable[[Settings, str, int | str], LoadedModel]

LOADERS = MappingProxyType(
    {
        "backup": "modstream.registry.backups:load_backup",
        "registry": "modstream.registry.published:load_published",
    }
)
"""How a version is loaded from each source, as "module:function"; only the one in use is imported,
so that a function with a backup needs no Redis client."""
OUTPUTS = MappingProxyType(
    {
        "result": "modstream.serverless.output:open_nothing",
        "kafka": "modstream.serverless.kafka_output:open_kafka",
    }
)
"""How each output is opened; only the one in use is imported."""


class Container:
    """Reads the settings, loads the version and opens the output, each when it is first needed.

    What has failed is tried again by the next call.
    """

    @cached_property
    def settings(self) -> Settings:
        """The settings: environment variables, and the file `modstream.toml` beside the code."""
        return load_settings()

    @cached_property
    def responder(self) -> Responder:
        """The loaded version, ready to answer.

        Raises:
            ModelError: it cannot be loaded now.
        """
        settings = self.settings
        ref = parse_ref(self.model, settings.serverless.version)
        load: Loader = resolve_name(LOADERS[settings.serverless.source])
        return Responder(
            load(settings, self.model, ref),
            ref,
            settings.max_request_bytes,
            record_features=settings.record_features and settings.serverless.output == "kafka",
        )

    @cached_property
    def output(self) -> Output:
        """Where the answers to records go beside the result."""
        opener: Callable[[Settings], Output] = resolve_name(
            OUTPUTS[self.settings.serverless.output]
        )
        return opener(self.settings)

    @property
    def model(self) -> str:
        """The name of the model."""
        return self.settings.serverless.model or self.settings.models[0]
