"""A connection's librdkafka settings in the words of Faust: SASL and TLS, for the joiner."""

import ssl
from collections.abc import Mapping

from faust.auth import Credentials, SASLCredentials, SSLCredentials

from modstream.processors.errors import SettingUnsupported

UNDERSTOOD = frozenset(
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
    }
)
MECHANISMS = frozenset({"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"})


def credentials(options: Mapping[str, str]) -> Credentials | None:
    """What Faust needs to log in; None without security settings.

    Raises:
        SettingUnsupported: a security setting that has no counterpart here; other settings tune
            librdkafka and are left to it.
    """
    for name in options:
        if name.startswith(("sasl.", "ssl.", "security.")) and name not in UNDERSTOOD:
            raise SettingUnsupported(name)
    protocol = options.get("security.protocol", "plaintext").lower()
    context = _context(options) if protocol.endswith("ssl") else None
    if protocol.startswith("sasl"):
        mechanism = options.get("sasl.mechanism") or options.get("sasl.mechanisms", "PLAIN")
        if mechanism not in MECHANISMS:
            raise SettingUnsupported(f"sasl.mechanism={mechanism}")
        return SASLCredentials(
            username=options.get("sasl.username"),
            password=options.get("sasl.password"),
            mechanism=mechanism,
            ssl_context=context,
        )
    return None if context is None else SSLCredentials(context)


def _context(options: Mapping[str, str]) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=options.get("ssl.ca.location"))
    certificate = options.get("ssl.certificate.location")
    if certificate is not None:
        key, password = options.get("ssl.key.location"), options.get("ssl.key.password")
        context.load_cert_chain(certificate, key, password)
    return context
