"""Tokens of OpenID Connect: a local issuer, and tokens that are not what they claim."""

import json
from threading import Event

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from modstream.process.background import BackgroundThread
from modstream.producers.gateway.access import Credentials, Forbidden, InvalidCredentials, Verb
from modstream.producers.gateway.errors import NotServing
from modstream.producers.gateway.security.api_key import create_key
from modstream.producers.gateway.security.authenticated_access import AuthenticatedAccess
from modstream.producers.gateway.security.bearer_tokens import BearerTokens, read_scopes
from modstream.producers.gateway.security.errors import IssuerUnusable
from modstream.producers.gateway.security.issuer_keys import (
    MIN_GAP_SECONDS,
    REFRESH_SECONDS,
    IssuerKeys,
    check_url,
    fetch_keys,
    read_key,
)
from modstream.producers.gateway.security.known_keys import KnownKeys
from tests.producers.gateway.issuer import AUDIENCE, serve_issuer


class Clock:
    seconds = 1000.0

    def __call__(self):
        return self.seconds


@pytest.fixture(scope="module")
def shared_issuer():
    with serve_issuer() as issuer:
        yield issuer


@pytest.fixture
def issuer(shared_issuer):
    keys = shared_issuer.keys
    shared_issuer.asked, shared_issuer.is_broken = 0, False
    yield shared_issuer
    shared_issuer.keys = keys


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def keys(issuer, clock):
    found = IssuerKeys(issuer.url, clock=clock)
    found.refresh()
    return found


@pytest.fixture
def tokens(keys):
    return BearerTokens(keys, AUDIENCE)


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
def test_a_token_of_the_issuer_names_its_caller_and_scopes(tokens, issuer, algorithm):
    caller = tokens.verify(issuer.token(algorithm))

    assert caller.name == "oidc:alice"
    caller.check(Verb.PREDICT, "flights")
    with pytest.raises(Forbidden):
        caller.check(Verb.LABEL, "flights")


@pytest.mark.parametrize(
    ("claims", "scopes"),
    [
        ({"scope": "openid predict:a read:*"}, ["openid", "predict:a", "read:*"]),
        ({"scp": ["predict:a", 7, "label:b"]}, ["predict:a", "label:b"]),
        ({"scp": "predict:a", "scope": "read:b"}, ["read:b", "predict:a"]),
        ({"scope": 5, "scp": {"a": 1}}, []),
        ({}, []),
    ],
)
def test_scopes_are_read_from_either_claim(claims, scopes):
    assert read_scopes(claims) == scopes


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"aud": "another"}, "is for another audience"),
        ({"aud": None}, "lacks one of the claims"),
        ({"iss": "http://127.0.0.1:1"}, "is of another issuer"),
        ({"iss": None}, "lacks one of the claims"),
        ({"exp": 1_000_000_000}, "has expired"),
        ({"exp": None}, "lacks one of the claims"),
        ({"exp": "soon"}, "is malformed"),
        ({"nbf": 4_000_000_000}, "is not valid yet"),
        ({"nbf": "x"}, "is malformed"),
        ({"sub": None}, "lacks one of the claims"),
        ({"sub": "x" * 256}, "has no usable subject"),
    ],
)
def test_a_token_with_a_wrong_claim_is_refused_with_the_reason(tokens, issuer, changes, reason):
    with pytest.raises(InvalidCredentials, match=f"this token {reason}"):
        tokens.verify(issuer.token(**changes))


def test_clocks_may_differ_by_the_leeway(tokens, issuer):
    now = issuer.claims()["iat"]

    assert tokens.verify(issuer.token(exp=now - 20, nbf=now + 20))
    with pytest.raises(InvalidCredentials, match="has expired"):
        tokens.verify(issuer.token(exp=now - 40))


def test_an_unsigned_token_is_refused(tokens, issuer):
    with pytest.raises(InvalidCredentials, match="not signed with the algorithm of its key"):
        tokens.verify(issuer.unsigned())


def test_a_token_signed_with_the_public_key_as_a_secret_is_refused(tokens, issuer):
    with pytest.raises(InvalidCredentials, match="not signed with the algorithm of its key"):
        tokens.verify(issuer.signed_with_the_public_key())


def test_a_token_of_another_algorithm_than_its_key_is_refused(tokens, issuer):
    with pytest.raises(InvalidCredentials, match="not signed with the algorithm of its key"):
        tokens.verify(issuer.token("ES256", kid="rsa"))


def test_a_changed_token_is_refused(tokens, issuer):
    head, _, signature = issuer.token().split(".")
    _, other, _ = issuer.token(sub="root").split(".")

    with pytest.raises(InvalidCredentials, match="has a wrong signature"):
        tokens.verify(f"{head}.{other}.{signature}")


@pytest.mark.parametrize(
    "token",
    [
        "x",
        "a.b.c",
        "..",
        "e30.e30.",
        "é.é.é",
        "\ud800.a.b",
        "." * 1000,
        "a" * 20_000,
        "bnVsbA.e30.x",
    ],
)
def test_what_is_no_token_is_refused(tokens, token):
    with pytest.raises(InvalidCredentials):
        tokens.verify(token)


def test_a_key_of_its_own_in_the_token_is_not_trusted(tokens, issuer):
    """`jwk` and `jku` in the header are the sender's words about itself."""
    own = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    headers = {"kid": "rsa", "jwk": RSAAlgorithm.to_jwk(own.public_key(), as_dict=True)}
    token = jwt.encode(issuer.claims(), own, algorithm="RS256", headers=headers)

    with pytest.raises(InvalidCredentials, match="has a wrong signature"):
        tokens.verify(token)


def test_a_flood_of_unknown_keys_leads_to_one_fetch_in_the_shortest_time(
    keys, tokens, issuer, clock
):
    for number in range(200):
        with pytest.raises(InvalidCredentials, match="a key that its issuer does not have"):
            tokens.verify(issuer.token(kid=f"unknown-{number}"))
    assert not keys._is_due()
    clock.seconds += MIN_GAP_SECONDS

    for number in range(200):
        with pytest.raises(NotServing, match="the issuer is being asked"):
            tokens.verify(issuer.token(kid=f"unknown-{number}"))
    assert keys._is_due()
    keys.refresh()
    with pytest.raises(InvalidCredentials):
        tokens.verify(issuer.token(kid="unknown"))

    assert issuer.asked == 2


def test_a_new_key_of_the_issuer_is_fetched_when_a_token_names_it(keys, tokens, issuer, clock):
    token = issuer.token(kid="next")
    issuer.keys = [{**issuer.keys[0], "kid": "next"}]
    clock.seconds += MIN_GAP_SECONDS
    with pytest.raises(NotServing) as caught:
        tokens.verify(token)
    assert caught.value.retry_after == 1

    assert keys._is_due()
    keys.refresh()

    assert tokens.verify(token).name == "oidc:alice"
    with pytest.raises(InvalidCredentials):
        tokens.verify(issuer.token())  # the withdrawn key


def test_a_signature_is_verified_once_until_the_token_ends_or_the_keys_are_read_again(
    keys, issuer, monkeypatch
):
    decode, decoded, now = jwt.decode, [], Clock()
    now.seconds = 0.0
    monkeypatch.setattr(jwt, "decode", lambda *a, **k: decoded.append(a) or decode(*a, **k))
    tokens, token = BearerTokens(keys, AUDIENCE, now), issuer.token()

    callers = [tokens.verify(token) for _ in range(5)]
    assert (len(decoded), {one.name for one in callers}) == (1, {"oidc:alice"})
    keys.refresh()
    tokens.verify(token)
    assert len(decoded) == 2
    now.seconds = issuer.claims()["exp"] + 31.0
    tokens.verify(token)

    assert len(decoded) == 3


def test_keys_are_fetched_again_without_cause_after_a_while(keys, clock):
    clock.seconds += REFRESH_SECONDS - 1
    assert not keys._is_due()
    clock.seconds += 1
    assert keys._is_due()


def test_known_keys_of_an_issuer_stay_valid_during_its_outage(keys, tokens, issuer):
    issuer.is_broken = True
    keys.refresh()

    assert tokens.verify(issuer.token()).name == "oidc:alice"


def test_nobody_gets_in_by_token_while_the_issuer_never_responded(issuer, clock):
    issuer.is_broken = True
    keys = IssuerKeys(issuer.url, clock=clock)
    keys.refresh()

    with pytest.raises(NotServing, match="answers with status 503"):
        BearerTokens(keys, AUDIENCE).verify(issuer.token())
    clock.seconds += MIN_GAP_SECONDS
    issuer.is_broken = False
    assert keys._is_due()


def test_the_thread_fetches_the_keys_at_once(issuer):
    fetched = Event()

    def fetch(url):
        found = fetch_keys(url)
        fetched.set()
        return found

    keys = IssuerKeys(issuer.url, fetch)
    with BackgroundThread("keys", keys.watch):
        assert fetched.wait(10)


@pytest.mark.parametrize(
    "change",
    [
        {"kty": "oct", "k": "c2VjcmV0"},
        {"use": "enc"},
        {"alg": "RS512"},
        {"n": "AQAB"},
        {"n": None},
        {"n": 7},
        {"kty": 5},
    ],
)
def test_keys_that_must_not_verify_tokens_are_left_out(issuer, change):
    assert read_key({**issuer.keys[0], **change}) is None


def test_weak_keys_and_other_curves_are_left_out():
    weak = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505
    other = ec.generate_private_key(ec.SECP384R1())

    assert read_key(RSAAlgorithm.to_jwk(weak.public_key(), as_dict=True)) is None
    assert read_key(ECAlgorithm.to_jwk(other.public_key(), as_dict=True)) is None


@pytest.mark.parametrize(
    ("path", "document", "reason"),
    [
        ("/.well-known/openid-configuration", {"issuer": "https://evil"}, "another issuer"),
        ("/.well-known/openid-configuration", None, "status 503"),
        ("/keys", {"keys": "none"}, "has no keys"),
        ("/keys", {"keys": []}, "no RSA, P-256 or Ed25519 key"),
        ("/keys", ["keys"], "no JSON object"),
        ("/keys", {"keys": "x" * 1_100_000}, "more than 1,048,576 bytes"),
    ],
)
def test_an_issuer_that_answers_wrongly_is_named(issuer, monkeypatch, path, document, reason):
    answer = issuer.document
    monkeypatch.setattr(issuer, "document", lambda p: document if p == path else answer(p))

    with pytest.raises(IssuerUnusable, match=reason):
        fetch_keys(issuer.url)


def test_a_key_set_elsewhere_without_tls_is_not_fetched(issuer, monkeypatch):
    document = {"issuer": issuer.url, "jwks_uri": "http://198.51.100.1/keys"}
    monkeypatch.setattr(issuer, "document", lambda _: document)

    with pytest.raises(IssuerUnusable, match="is not an https address"):
        fetch_keys(issuer.url)


@pytest.mark.parametrize("url", ["http://example.org", "file:///etc/passwd", "https://", "x"])
def test_only_https_leads_to_an_issuer(url):
    with pytest.raises(IssuerUnusable, match="is not an https address"):
        check_url(url, url)


def test_an_issuer_that_is_not_there_is_named():
    with pytest.raises(IssuerUnusable, match=r"does not respond: .*refused"):
        fetch_keys("http://127.0.0.1:9")


def test_api_keys_are_accepted_beside_tokens(tokens, issuer):
    new = create_key("web", ("read:*",), None, None, 0)

    class Store:
        def read(self):
            return (new.record,)

    known = KnownKeys(Store())
    known.refresh()
    access = AuthenticatedAccess(known, tokens, open_without_keys=False)

    assert access.authorize(Credentials(api_key=new.secret), Verb.READ, "flights") == "web"
    bearer = Credentials(authorization=f"Bearer {issuer.token()}")
    assert access.authorize(bearer, Verb.PREDICT, "flights") == "oidc:alice"
    with pytest.raises(Forbidden, match="oidc:alice may not read"):
        access.authorize(bearer, Verb.READ, "flights")


def test_nothing_of_a_token_is_in_the_refusal(tokens, issuer):
    token = issuer.token(aud="another")

    with pytest.raises(InvalidCredentials) as caught:
        tokens.verify(token)

    assert all(part not in str(caught.value) for part in token.split("."))
    assert json.dumps("alice") not in str(caught.value)
