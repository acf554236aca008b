"""The key that an embedded stack signs its models with."""

from pathlib import Path

from modstream.models.security.signing import SigningKey


def own_key(home: Path) -> tuple[Path, str]:
    """The signing key of a home, made when first asked for: its file and its public half."""
    path = home / "keys" / "signing.key"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        SigningKey.generate().save(path)
    return path, SigningKey.load(path).public
