"""Signatures of model files that other tools verify, by the OpenSSF model signing specification.

https://github.com/ossf/model-signing-spec: a Sigstore bundle (v0.3) around a DSSE envelope, whose
payload is an in-toto statement with the hash of each file. Its reference tool knows EC keys, and
not Ed25519 ones, so the key is another than the one that signs cards.
"""

import json
from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from modstream.models.errors import UnreadableKey

BUNDLE_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://model_signing/signature/v1.0"


def load_ec_key(path: Path) -> EllipticCurvePrivateKey:
    """Read an unencrypted P-256 private key in PEM.

    Raises:
        UnreadableKey: the file cannot be read, or has another kind of key.
    """
    try:
        key = load_pem_private_key(path.read_bytes(), None)
    except OSError as error:
        raise UnreadableKey(str(path), error.strerror or type(error).__name__) from None
    except (ValueError, TypeError) as error:
        raise UnreadableKey(str(path), str(error)) from None
    if not isinstance(key, EllipticCurvePrivateKey) or not isinstance(key.curve, SECP256R1):
        raise UnreadableKey(str(path), "it is not a key of the curve P-256")
    return key


def sign_files(
    name: str, files: Mapping[str, bytes], signature_file: str, key: EllipticCurvePrivateKey
) -> str:
    """Return the bundle that signs the files of a model's folder, as JSON.

    Args:
        name: the name of the model, which is that of its folder.
        files: the content of each file by its path in the folder.
        signature_file: the path in the folder at which the bundle will be.
        key: the private key.
    """
    digests = {path: sha256(content) for path, content in sorted(files.items())}
    root = sha256(b"".join(one.digest() for one in digests.values()))
    statement = {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": name, "digest": {"sha256": root.hexdigest()}}],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "serialization": {
                "method": "files",
                "hash_type": "sha256",
                "allow_symlinks": False,
                "ignore_paths": [signature_file],
            },
            "resources": [
                {"name": path, "algorithm": "sha256", "digest": one.hexdigest()}
                for path, one in digests.items()
            ],
        },
    }
    payload = json.dumps(statement, sort_keys=True).encode()
    signature = key.sign(envelope_bytes(payload), ECDSA(SHA256()))
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    bundle = {
        "mediaType": BUNDLE_TYPE,
        "verificationMaterial": {
            "publicKey": {"hint": sha256(public).hexdigest()},
            "tlogEntries": [],
        },
        "dsseEnvelope": {
            "payload": b64encode(payload).decode(),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{"sig": b64encode(signature).decode(), "keyid": ""}],
        },
    }
    return json.dumps(bundle, indent=2) + "\n"


def envelope_bytes(payload: bytes) -> bytes:
    """Return what a DSSE signature signs: type and payload, each after its length.

    https://github.com/secure-systems-lab/dsse/blob/master/protocol.md
    """
    kind = PAYLOAD_TYPE.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)
