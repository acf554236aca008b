"""The signing key of a local stack's models."""

from pathlib import Path

from modstream.models.security.signing import SigningKey


def ensure_signing_key(home: Path) -> tuple[Path, str]:
    """Return the file and the public key of a home folder's signing key; create it if missing."""
    path = home / "keys" / "signing.key"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        SigningKey.generate().save(path)
    return path, SigningKey.load(path).public_key
