"""Translation of librdkafka's SASL and TLS settings into Faust credentials."""

import ssl
from collections.abc import Mapping

from faust.auth import Credentials, OAuthCredentials, SASLCredentials, SSLCredentials

from modstream.processors.errors import UnsupportedSetting
from modstream.processors.join.faust.tokens import ClientCredentials

SUPPORTED_OPTIONS = frozenset(
    {
        "security.protocol",
        "sasl.mechanism",
        "sasl.mechanisms",
        "sasl.username",
        "sasl.password",
        "ssl.ca.location",
        "ssl.certificate.location",
        "ssl.key.location",
        "ssl.key.password",
        "sasl.oauthbearer.method",
        "sasl.oauthbearer.token.endpoint.url",
        "sasl.oauthbearer.client.id",
        "sasl.oauthbearer.client.secret",
        "sasl.oauthbearer.scope",
    }
)
SASL_MECHANISMS = frozenset({"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"})


def faust_credentials(options: Mapping[str, str]) -> Credentials | None:
    """Return Faust's credentials for these settings; None without security settings.

    Settings other than `sasl.*`, `ssl.*` and `security.*` tune librdkafka and are ignored.

    Raises:
        UnsupportedSetting: a security setting that has no counterpart here; other settings tune
            librdkafka and are left to it.
    """
    for name in options:
        if name.startswith(("sasl.", "ssl.", "security.")) and name not in SUPPORTED_OPTIONS:
            raise UnsupportedSetting(name)
    protocol = options.get("security.protocol", "plaintext").lower()
    context = _tls_context(options) if protocol.endswith("ssl") else None
    if protocol.startswith("sasl"):
        mechanism = options.get("sasl.mechanism") or options.get("sasl.mechanisms", "PLAIN")
        if mechanism == "OAUTHBEARER":
            return OAuthCredentials(oauth_cb=_tokens(options), ssl_context=context)
        if mechanism not in SASL_MECHANISMS:
            raise UnsupportedSetting(f"sasl.mechanism={mechanism}")
        return SASLCredentials(
            username=options.get("sasl.username"),
            password=options.get("sasl.password"),
            mechanism=mechanism,
            ssl_context=context,
        )
    return None if context is None else SSLCredentials(context)


def _tokens(options: Mapping[str, str]) -> ClientCredentials:
    prefix = "sasl.oauthbearer"
    method = options.get(f"{prefix}.method", "default")
    if method != "oidc":
        raise UnsupportedSetting(f"{prefix}.method={method}")
    url = options.get(f"{prefix}.token.endpoint.url", "")
    authorities = options.get("https.ca.location")
    is_encrypted = url.startswith("https:")
    return ClientCredentials(
        url,
        options.get(f"{prefix}.client.id", ""),
        options.get(f"{prefix}.client.secret", ""),
        options.get(f"{prefix}.scope", ""),
        ssl.create_default_context(cafile=authorities) if is_encrypted else None,
    )


def _tls_context(options: Mapping[str, str]) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=options.get("ssl.ca.location"))
    certificate = options.get("ssl.certificate.location")
    if certificate is not None:
        key, password = options.get("ssl.key.location"), options.get("ssl.key.password")
        context.load_cert_chain(certificate, key, password)
    return context
