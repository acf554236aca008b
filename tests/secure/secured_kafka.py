"""A Kafka that asks its clients who they are, by every mechanism, and lets them do what rules say.

Rights are Kafka's own: https://kafka.apache.org/documentation/#security_authz
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

from modstream.stack.embedded.kafka import EmbeddedKafka
from modstream.stack.embedded.ports import HOST, free_port

LOGIN = "org.apache.kafka.common.security"
PLAIN = f"{LOGIN}.plain.PlainLoginModule required"
SCRAM = f"{LOGIN}.scram.ScramLoginModule required;"
SASL_LISTENERS = ("SASL_PLAINTEXT", "SASL_SSL")
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER")


class SecuredKafka(EmbeddedKafka):
    """A broker with a listener for each protocol; the one without security is for its owner.

    Args:
        folder: the folder of its data.
        users: the password of each user of PLAIN and SCRAM.
        certificate: the broker's certificate and key (PEM), and that of their authority.
        issuer: the address of the issuer of tokens; its keys are at `/keys`.
    """

    def __init__(
        self,
        folder: Path,
        users: Mapping[str, str],
        certificate: tuple[bytes, bytes, bytes],
        issuer: str,
    ) -> None:
        allowed = f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={issuer}/keys"
        denials = "-Dorg.slf4j.simpleLogger.log.kafka.authorizer.logger=info"
        super().__init__(folder, broker_options=(allowed, denials))
        self._users, self._certificate, self._issuer = users, certificate, issuer
        self._ports: dict[str, int] = {}
        for name in (*SASL_LISTENERS, "SSL"):
            self._ports[name] = free_port(*self._used_ports())

    def address(self, protocol: str) -> str:
        """Return the bootstrap address of the listener of a protocol."""
        return f"{HOST}:{self._ports[protocol]}"

    def _single_node_settings(self) -> dict[str, object]:
        settings = super()._single_node_settings()
        for name in ("listeners", "advertised.listeners"):
            own = (f"{protocol}://{HOST}:{port}" for protocol, port in self._ports.items())
            settings[name] = ",".join([str(settings[name]), *own])
        protocols = (
            "CONTROLLER:PLAINTEXT",
            *(f"{one}:{one}" for one in ("PLAINTEXT", *self._ports)),
        )
        return settings | self._sasl_settings() | self._tls_settings() | {
            "listener.security.protocol.map": ",".join(protocols),
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",  # Known only at the listener without security.
        }  # fmt: skip

    def _sasl_settings(self) -> dict[str, object]:
        known = " ".join(f'user_{name}="{password}"' for name, password in self._users.items())
        found: dict[str, object] = {"sasl.enabled.mechanisms": ",".join(MECHANISMS)}
        for listener in SASL_LISTENERS:
            prefix = f"listener.name.{listener.lower()}"
            found |= {
                f"{prefix}.plain.sasl.jaas.config": f"{PLAIN} {known};",
                f"{prefix}.scram-sha-256.sasl.jaas.config": SCRAM,
                f"{prefix}.scram-sha-512.sasl.jaas.config": SCRAM,
                f"{prefix}.oauthbearer.sasl.jaas.config": (
                    f"{LOGIN}.oauthbearer.OAuthBearerLoginModule required;"
                ),
                # A connection ends unless its client shows a new token in time (KIP-368).
                f"{prefix}.oauthbearer.connections.max.reauth.ms": 3_600_000,
                f"{prefix}.oauthbearer.sasl.server.callback.handler.class": (
                    f"{LOGIN}.oauthbearer.OAuthBearerValidatorCallbackHandler"
                ),
            }
        return found | {
            "sasl.oauthbearer.jwks.endpoint.url": f"{self._issuer}/keys",
            "sasl.oauthbearer.expected.audience": "kafka",
            "sasl.oauthbearer.expected.issuer": self._issuer,
        }

    def _tls_settings(self) -> dict[str, object]:
        certificate, key, authority = (part.decode() for part in self._certificate)
        return {
            "ssl.keystore.type": "PEM",
            "ssl.keystore.certificate.chain": certificate,
            "ssl.keystore.key": key,
            "ssl.truststore.type": "PEM",
            "ssl.truststore.certificates": authority,
            "listener.name.ssl.ssl.client.auth": "required",
            "ssl.principal.mapping.rules": "RULE:^CN=(.*?)$/$1/",
        }

    def _used_ports(self) -> Iterable[int]:
        return (self.port, *self._ports.values())

    def _format_options(self) -> list[str]:
        return [
            f"--add-scram={mechanism}=[name={name},password={password}]"
            for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512")
            for name, password in self._users.items()
        ]
