"""Certificates for tests: an authority, and what it has signed for a host."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID


class Authority:
    """Signs certificates for 127.0.0.1."""

    def __init__(self):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = _name("test authority")
        extension = x509.BasicConstraints(ca=True, path_length=None)
        usage = x509.KeyUsage(
            digital_signature=True,
            key_cert_sign=True,
            crl_sign=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            encipher_only=False,
            decipher_only=False,
        )
        own = _builder(self.name, self.name, self.key.public_key(), days=1)
        own = own.add_extension(extension, critical=True).add_extension(usage, critical=True)
        identifier = x509.SubjectKeyIdentifier.from_public_key(self.key.public_key())
        own = own.add_extension(identifier, critical=False)
        self.certificate = own.sign(self.key, SHA256()).public_bytes(Encoding.PEM)

    def issue(self, days=1, name="gateway"):
        """Return a certificate and its key in PEM, valid for some days, or until days ago."""
        key = ec.generate_private_key(ec.SECP256R1())
        hosts = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        built = _builder(_name(name), self.name, key.public_key(), days)
        built = built.add_extension(hosts, critical=False).add_extension(issuer, critical=False)
        return built.sign(self.key, SHA256()).public_bytes(Encoding.PEM), key_in_pem(key)

    def write(self, folder, name, days=1):
        """Issue a certificate of a name to NAME.pem and NAME.key; return both paths."""
        paths = folder / f"{name}.pem", folder / f"{name}.key"
        for path, content in zip(paths, self.issue(days, name), strict=True):
            path.write_bytes(content)
        return paths


def key_in_pem(key, passphrase=None):
    encryption = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


def _name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _builder(subject, issuer, public_key, days):
    end = datetime.now(UTC) + timedelta(days=days)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(min(end, datetime.now(UTC)) - timedelta(days=1))
        .not_valid_after(end)
    )
