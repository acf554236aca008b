"""The keys that sign and verify models, by the settings; this module imports no Redis client."""

from pathlib import Path

from modstream.errors import InvalidSettings
from modstream.models.errors import UnreadableKey
from modstream.models.security.signing import SigningKey, Trust
from modstream.settings import Settings


def load_signing_key(settings: Settings) -> SigningKey | None:
    """Return the key that signs what this process publishes, None if none is configured.

    Raises:
        InvalidSettings: the file cannot be read, or does not contain a private key.
    """
    if settings.signing_key is None:
        return None
    try:
        return SigningKey.load(settings.signing_key, settings.installation_name)
    except UnreadableKey as error:
        raise InvalidSettings([f"signing_key: {error}"]) from None


def load_trust(settings: Settings) -> Trust:
    """Return the keys whose models are served.

    Raises:
        InvalidSettings: a key, or the file of keys, cannot be read.
    """
    keys = trusted_keys(settings)
    try:
        return Trust(keys, settings.installation_name)
    except UnreadableKey as error:
        raise InvalidSettings([f"trusted_keys: {error}"]) from None


def trusted_keys(settings: Settings) -> tuple[str, ...]:
    """Return the public keys of the settings, and those of the file that they name.

    Raises:
        InvalidSettings: the file cannot be read, or has no key.
    """
    file = settings.trusted_keys_file
    return settings.trusted_keys if file is None else (*settings.trusted_keys, *_keys_in(file))


def _keys_in(file: Path) -> tuple[str, ...]:
    """Return the keys in a file; an empty one would switch the check off."""
    try:
        keys = tuple(file.read_text(encoding="utf-8").split())
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise InvalidSettings([f"trusted_keys_file: {file}: {reason}"]) from None
    except UnicodeDecodeError:
        raise InvalidSettings([f"trusted_keys_file: {file} is not a text"]) from None
    if not keys:
        raise InvalidSettings([f"trusted_keys_file: {file} has no key"])
    return keys
