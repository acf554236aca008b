"""Secrets in files, as Docker and Kubernetes mount them; this module imports no other of ours."""

from pathlib import Path

from pydantic import SecretStr


class SecretUnreadable(Exception):
    """The file of a secret cannot be read, or is empty."""

    def __init__(self, file: Path, reason: str) -> None:
        super().__init__(f"the secret in {file} cannot be read: {reason}")


def secret_text(given: SecretStr | None, file: Path | None) -> str:
    """Return a secret that is given, or else in a file; an empty text without both.

    Raises:
        SecretUnreadable: the file cannot be read, or is empty.
    """
    if given is not None:
        return given.get_secret_value()
    return "" if file is None else read_secret(file)


def read_secret(file: Path) -> str:
    """Return the secret in a file, without the line breaks at its end.

    Raises:
        SecretUnreadable: the file cannot be read, or is empty.
    """
    try:
        secret = file.read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        raise SecretUnreadable(file, error.strerror or type(error).__name__) from None
    except UnicodeDecodeError:
        raise SecretUnreadable(file, "it is not UTF-8") from None
    if not secret:
        raise SecretUnreadable(file, "it is empty")
    return secret
