"""Bundles of the OpenSSF model signing specification; its own tool verifies them."""

import json
import subprocess
import sys
from base64 import b64decode
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from modstream.models.errors import UnreadableKey
from modstream.models.schema.artifact import Artifact
from modstream.models.security.oms import envelope_bytes, load_ec_key, sign_files
from modstream.registry.bundle import SIGNATURE_FILE, write_bundle
from tests.models.security.test_signing import CARD

FILES = {"b/two": b"2", "a": b"1"}
TOOLS = ("model-signing==1.1.1", "pyopenssl>=25")
"""The reference tool, and what it needs and does not name."""


@pytest.fixture(scope="module")
def key():
    return ec.generate_private_key(ec.SECP256R1())


def in_pem(key):
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def test_the_signature_is_over_the_hash_of_each_file(key):
    bundle = json.loads(sign_files("model", FILES, "model.sig", key))
    envelope = bundle["dsseEnvelope"]
    payload = b64decode(envelope["payload"])
    (signature,) = envelope["signatures"]

    found = b64decode(signature["sig"])
    key.public_key().verify(found, envelope_bytes(payload), ec.ECDSA(SHA256()))
    with pytest.raises(InvalidSignature):
        key.public_key().verify(found, envelope_bytes(payload + b" "), ec.ECDSA(SHA256()))
    resources = json.loads(payload)["predicate"]["resources"]
    assert [(one["name"], one["digest"]) for one in resources] == [
        ("a", sha256(b"1").hexdigest()),
        ("b/two", sha256(b"2").hexdigest()),
    ]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "No such file"),
        (b"no key", "(?i)pem"),
        (in_pem(ed25519.Ed25519PrivateKey.generate()), "not a key of the curve P-256"),
        (in_pem(ec.generate_private_key(ec.SECP384R1())), "not a key of the curve P-256"),
    ],
)
def test_another_key_is_refused(tmp_path, content, reason):
    path = tmp_path / "key.pem"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(UnreadableKey, match=reason):
        load_ec_key(path)


@pytest.mark.thorough
def test_the_reference_tool_verifies_a_bundle_and_names_a_changed_file(tmp_path, key):
    (tmp_path / "key.pem").write_bytes(in_pem(key))
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "public.pem").write_bytes(public)
    folder = tmp_path / "flights-7"
    signer = load_ec_key(tmp_path / "key.pem")
    paths = write_bundle(folder, CARD, Artifact(b"abc"), signer)

    verified = verify(tmp_path, folder)
    paths[0].write_bytes(b"abd")
    changed = verify(tmp_path, folder)

    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert changed.returncode != 0
    assert paths[0].name in changed.stdout + changed.stderr


def verify(keys, folder):
    """Run the reference tool in an environment of its own."""
    uv = Path(sys.executable).with_name("uv")
    command = [uv, "run", "-q", "--isolated", "--no-project"]
    for one in TOOLS:
        command += ["--with", one]
    command += ["model_signing", "verify", "key", folder]
    command += ["--signature", folder / SIGNATURE_FILE, "--public_key", keys / "public.pem"]
    return subprocess.run(command, capture_output=True, text=True, check=False)
