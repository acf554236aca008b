"""Published versions, loaded from Redis as the settings say."""

from modstream.models.serving.loaded_models import LoadedModel
from modstream.models.serving.loader import load_version
from modstream.registry.access import open_registry
from modstream.registry.trust import load_trust
from modstream.settings import Settings


def load_published(settings: Settings, name: str, ref: int | str) -> LoadedModel:
    """Load a published version; signature and hash are checked first.

    Raises:
        ModelNotFound: there is no such model, version or alias.
        RegistryUnavailable: Redis does not answer.
        UntrustedModel: no trusted key has signed the version.
        ArtifactError: the version cannot be loaded.
    """
    with open_registry(settings) as registry:
        card = registry.card(name, ref)
        rows = settings.model_cache.warm_up_rows
        return LoadedModel(card, load_version(registry, load_trust(settings), card, rows))
