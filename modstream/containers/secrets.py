"""Creates the secrets of the services: `python -m modstream.containers.secrets FOLDER`.

Each folder below FOLDER is a volume. A container mounts those that it needs and no others, so that
a service knows its own passwords only, and the signing key is known to publishers only.

    kafka/server.properties   the users of Kafka, for Kafka
    redis/users.acl           the users of Redis, for Redis
    redis/health              the password of Redis' health check
    worker/kafka, /redis      the passwords of the service worker; likewise of the other services
    operator/kafka, /redis    the passwords of the operator
    operator/api-key          an API key of gateway and dashboard that permits everything
    access/keys.json          the API keys, as the gateway stores them
    signing/signing.key       the private key that signs versions
    trust/keys                the public keys whose versions are served

What exists is kept, so another run changes nothing. A file that was deleted is created anew.
"""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from secrets import token_urlsafe
from time import time

from modstream.containers.server_users import (
    HEALTH_USER,
    OPERATOR,
    SERVICE_ROLES,
    kafka_properties,
    redis_users,
)
from modstream.producers.gateway.security.api_key import create_key
from modstream.producers.gateway.security.key_file import KeyFile
from modstream.rights.rights import rights_of
from modstream.secret_files import read_secret
from modstream.settings import Settings, load_settings
from modstream.stack.signing_keys import ensure_signing_key

APPLICATION_UID = 10001
"""The user of the application's image."""
OPERATOR_SCOPES = ("predict:*", "label:*", "read:*", "manage:*")


@dataclass(frozen=True, slots=True)
class SecretFolders:
    """The folders of the secrets.

    Attributes:
        root: the folder that contains them.
        uid: the owner of the files of the application; those of Kafka and Redis can be read by all,
            as their images decide on the user.
    """

    root: Path
    uid: int

    def create_all(self, settings: Settings) -> None:
        """Create what is missing, and write the files of the servers."""
        roles = (*SERVICE_ROLES, OPERATOR)
        kafka = {role.value: self._password(f"{role}/kafka") for role in roles}
        users = (role for role in roles if rights_of(role, settings).redis is not None)
        redis = {role.value: self._password(f"{role}/redis") for role in users}
        redis |= {HEALTH_USER: self._password("redis/health", mode=0o444)}
        # Kafka's image copies the file with its mode, and then appends to the copy.
        self._write("kafka/server.properties", kafka_properties(kafka), 0o644)
        self._write("redis/users.acl", redis_users(redis, settings), 0o444)
        self._create_signing_key()
        self._create_api_key()

    def _password(self, name: str, mode: int = 0o400) -> str:
        self._ensure(name, lambda: f"{token_urlsafe(32)}\n", mode)
        return read_secret(self.root / name)

    def _create_signing_key(self) -> None:
        path = self.root / "signing/signing.key"
        public = ensure_signing_key(path)
        self._own(path, 0o400)
        self._ensure("trust/keys", lambda: f"{public}\n", 0o444)

    def _create_api_key(self) -> None:
        path = self.root / "access/keys.json"
        if not path.exists():
            new = create_key("operator", OPERATOR_SCOPES, None, None, int(time() * 1000))
            self._write("operator/api-key", f"{new.secret}\n", 0o400)
            KeyFile(path).add(new.record)
        for file in (path.parent, *path.parent.iterdir()):
            self._own(file, 0o700 if file.is_dir() else 0o600)

    def _ensure(self, name: str, create: Callable[[], str], mode: int) -> None:
        if not (self.root / name).exists():
            self._write(name, create(), mode)

    def _write(self, name: str, text: str, mode: int) -> None:
        """Replace a file, so that readers find the old content or the new one, never a part."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.part")
        part.unlink(missing_ok=True)
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        self._own(part, mode)
        part.replace(path)

    def _own(self, path: Path, mode: int) -> None:
        path.chmod(mode)
        if path.stat().st_uid != self.uid:
            os.chown(path, self.uid, self.uid)


def main() -> None:
    """Create the secrets below the folder that is the only argument."""
    SecretFolders(Path(sys.argv[1]), APPLICATION_UID).create_all(load_settings())


if __name__ == "__main__":
    main()
