"""The signing key of a stack's models."""

from pathlib import Path

from modstream.models.security.signing import SigningKey


def ensure_home_key(home: Path) -> tuple[Path, str]:
    """Return the file and the public key of a home folder's signing key; create it if missing."""
    path = home / "keys" / "signing.key"
    return path, ensure_signing_key(path)


def ensure_signing_key(path: Path) -> str:
    """Return the public key of the signing key in a file; create it if it is missing."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        SigningKey.generate().save(path)
    return SigningKey.load(path).public_key
