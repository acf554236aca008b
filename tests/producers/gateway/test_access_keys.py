"""API keys: what they permit, how often, until when, and what happens when they change."""

import threading
from contextlib import suppress

import pytest

from modstream.producers.gateway.access import (
    ANONYMOUS,
    Credentials,
    Forbidden,
    InvalidCredentials,
    RateLimited,
    Unauthorized,
    Verb,
)
from modstream.producers.gateway.errors import NotServing
from modstream.producers.gateway.http.answers import refusal_response
from modstream.producers.gateway.security.api_key import create_key, digest
from modstream.producers.gateway.security.authenticated_access import AuthenticatedAccess
from modstream.producers.gateway.security.errors import (
    InvalidScope,
    KeyExists,
    KeyFileUnusable,
    KeysUnreadable,
)
from modstream.producers.gateway.security.key_file import KeyFile
from modstream.producers.gateway.security.known_keys import KnownKeys
from modstream.producers.gateway.security.scopes import Scope

NOW = 1_800_000_000


class Store:
    """Keys in memory, which can become unreadable."""

    def __init__(self):
        self.keys, self.outage = [], None

    def read(self):
        if self.outage:
            raise KeysUnreadable(self.outage)
        return tuple(self.keys)


class Clock:
    def __init__(self, seconds):
        self.seconds = seconds

    def __call__(self):
        return self.seconds


class Gate:
    """Access by keys in memory, with clocks that the test moves."""

    def __init__(self, *, is_open=False):
        self.store, self.clock, self.steady = Store(), Clock(NOW), Clock(5.0)
        self.keys = KnownKeys(self.store, clock=self.clock, steady_clock=self.steady)
        self.access = AuthenticatedAccess(self.keys, None, open_without_keys=is_open)

    def add(self, *scopes, name="web", rate=None, expires=None):
        new = create_key(name, scopes or ("predict:flights",), rate, expires, NOW * 1000)
        self.store.keys.append(new.record)
        self.keys.refresh()
        return new.secret

    def ask(self, secret="", verb=Verb.PREDICT, stream="flights"):
        return self.access.authorize(Credentials(api_key=secret), verb, stream)


@pytest.fixture
def gate():
    return Gate()


def test_a_key_has_256_random_bits_and_only_its_hash_is_stored():
    one, other = (create_key("web", ("read:*",), None, None, 0) for _ in range(2))

    assert one.secret != other.secret
    assert len(one.secret.removeprefix("modstream_")) == 43  # 32 bytes in base64
    assert one.record.sha256 == digest(one.secret)
    assert one.secret.removeprefix("modstream_") not in one.record.model_dump_json()


@pytest.mark.parametrize(
    "credentials",
    [
        lambda key: Credentials(api_key=key),
        lambda key: Credentials(authorization=f"Bearer {key}"),
        lambda key: Credentials(authorization=f"bearer  {key} "),
    ],
)
def test_a_key_is_taken_from_either_header(gate, credentials):
    secret = gate.add()

    assert gate.access.authorize(credentials(secret), Verb.PREDICT, "flights") == "web"


@pytest.mark.parametrize(
    ("scope", "verb", "stream", "is_permitted"),
    [
        ("predict:flights", Verb.PREDICT, "flights", True),
        ("predict:flights", Verb.PREDICT, "trains", False),
        ("predict:flights", Verb.LABEL, "flights", False),
        ("label:*", Verb.LABEL, "trains", True),
        ("label:*", Verb.READ, "trains", False),
        ("predict:flights", Verb.PREDICT, "*", False),
    ],
)
def test_a_scope_permits_its_verb_on_its_stream_only(gate, scope, verb, stream, is_permitted):
    secret = gate.add(scope)

    if is_permitted:
        assert gate.ask(secret, verb, stream) == "web"
    else:
        with pytest.raises(Forbidden, match=r"^web may not"):
            gate.ask(secret, verb, stream)


@pytest.mark.parametrize(
    "text", ["", "predict", "predict:", ":flights", "write:flights", "*:*", "read:a b", "read:**"]
)
def test_what_is_not_verb_and_stream_is_no_scope(text):
    with pytest.raises(InvalidScope, match="predict:flights"):
        Scope.parse(text)


@pytest.mark.parametrize(
    "wrong", ["modstream_", "x", "é" * 5, "modstream_" + "A" * 43, "a" * 70_000]
)
def test_a_wrong_key_is_refused_without_being_repeated(gate, wrong):
    gate.add()

    with pytest.raises(InvalidCredentials) as caught:
        gate.ask(wrong)

    assert str(caught.value) == "this API key is unknown or revoked"


def test_a_call_without_a_key_is_refused_with_how_to_send_one(gate):
    gate.add()

    with pytest.raises(Unauthorized, match="X-API-Key"):
        gate.ask()
    with pytest.raises(Unauthorized, match="X-API-Key"):
        gate.access.authorize(Credentials(authorization="Basic dTpw"), Verb.READ, "flights")


def test_a_key_ends_when_it_expires(gate):
    secret = gate.add(expires=(NOW + 60) * 1000)
    gate.clock.seconds = NOW + 59.9
    assert gate.ask(secret) == "web"

    gate.clock.seconds = NOW + 60

    with pytest.raises(InvalidCredentials, match="the API key web ended at"):
        gate.ask(secret)


def test_a_rate_permits_a_second_at_once_and_then_names_the_wait(gate):
    secret = gate.add(rate=3)
    for _ in range(3):
        gate.ask(secret)

    with pytest.raises(RateLimited) as caught:
        gate.ask(secret)
    assert caught.value.retry_after == 1
    gate.steady.seconds += 0.34
    assert gate.ask(secret) == "web"
    with pytest.raises(RateLimited):
        gate.ask(secret)


def test_a_rate_below_one_names_a_wait_of_many_seconds(gate):
    secret = gate.add(rate=0.1)
    gate.ask(secret)

    with pytest.raises(RateLimited) as caught:
        gate.ask(secret)

    assert caught.value.retry_after == 10


def test_each_key_has_a_rate_of_its_own_which_outlives_a_reading(gate):
    first, second = gate.add(rate=1), gate.add(name="other", rate=1)
    gate.ask(first)

    gate.keys.refresh()

    assert gate.ask(second) == "other"
    with pytest.raises(RateLimited):
        gate.ask(first)


def test_concurrent_callers_do_not_exceed_a_rate(gate):
    secret = gate.add(rate=100)
    served = []

    def call():
        for _ in range(50):
            with suppress(RateLimited):
                served.append(gate.ask(secret))

    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(served) == 100


def test_a_revoked_key_is_refused_after_the_next_reading(gate):
    secret = gate.add()
    gate.store.keys.clear()
    assert gate.ask(secret) == "web"

    gate.keys.refresh()

    with pytest.raises(InvalidCredentials):
        gate.ask(secret)


def test_known_keys_stay_valid_during_an_outage(gate):
    secret = gate.add()

    gate.store.outage = "Redis does not respond"
    gate.keys.refresh()

    assert gate.ask(secret) == "web"
    assert gate.keys.problem == "Redis does not respond"


@pytest.mark.parametrize("is_open", [False, True])
def test_nobody_gets_in_while_the_keys_were_never_read_and_the_reason_is_said(is_open):
    gate = Gate(is_open=is_open)
    gate.store.outage = "Redis does not respond"
    gate.keys.refresh()

    with pytest.raises(NotServing, match="not known: Redis does not respond") as caught:
        gate.ask("modstream_x")

    assert caught.value.status == 503
    assert caught.value.retry_after == 1


def test_an_open_gateway_serves_everybody_until_there_is_a_key_and_never_again():
    gate = Gate(is_open=True)
    gate.keys.refresh()
    assert gate.ask() == ANONYMOUS
    assert gate.ask("a key that is not needed") == ANONYMOUS

    gate.add()
    with pytest.raises(Unauthorized):
        gate.ask()
    gate.store.keys.clear()
    gate.keys.refresh()

    with pytest.raises(Unauthorized):
        gate.ask()


@pytest.mark.parametrize(
    ("make", "status", "header", "value"),
    [
        (lambda: Unauthorized("no key"), 401, "www-authenticate", 'Bearer realm="modstream"'),
        (
            lambda: InvalidCredentials("wrong"),
            401,
            "www-authenticate",
            'Bearer realm="modstream", error="invalid_token"',
        ),
        (
            lambda: Forbidden("may not"),
            403,
            "www-authenticate",
            'Bearer realm="modstream", error="insufficient_scope"',
        ),
        (lambda: RateLimited("web", 2.0, 7), 429, "retry-after", "7"),
    ],
)
def test_a_refusal_says_over_http_what_the_caller_may_do(make, status, header, value):
    response = refusal_response(make())

    assert (response.status_code, response.headers[header]) == (status, value)


@pytest.fixture
def key_file(tmp_path):
    return KeyFile(tmp_path / "below" / "keys.json")


def record(name):
    return create_key(name, ("read:*",), None, None, 0).record


def test_a_key_file_keeps_keys_readable_by_its_owner_only(key_file, tmp_path):
    keys = [record("one"), record("two")]

    for key in keys:
        key_file.add(key)

    path = tmp_path / "below" / "keys.json"
    assert KeyFile(path).read() == tuple(keys)
    assert path.stat().st_mode & 0o777 == 0o600
    assert sorted(one.name for one in path.parent.iterdir()) == ["keys.json", "keys.json.lock"]


def test_a_name_is_given_once_and_again_after_it_was_revoked(key_file):
    key_file.add(record("one"))
    with pytest.raises(KeyExists, match="modstream keys revoke one"):
        key_file.add(record("one"))

    assert key_file.remove("one")
    assert not key_file.remove("one")
    key_file.add(record("one"))

    assert len(key_file.read()) == 1


def test_concurrent_writers_of_a_key_file_lose_no_key(tmp_path):
    path = tmp_path / "keys.json"

    def write(writer):
        for number in range(10):
            KeyFile(path).add(record(f"{writer}-{number}"))

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(KeyFile(path).read()) == 40


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{", b"\xff\xfe", b'{"keys": [{}]}', b'{"keys": [], "more": 1}', b"[" * 100_000],
)
def test_a_damaged_key_file_is_named_and_not_overwritten(tmp_path, content):
    path = tmp_path / "keys.json"
    path.write_bytes(content)

    with pytest.raises(KeyFileUnusable, match=r"is damaged: .*keys\.json"):
        KeyFile(path).read()
    with pytest.raises(KeyFileUnusable):
        KeyFile(path).add(record("one"))

    assert path.read_bytes() == content


def test_a_missing_key_file_and_a_folder_in_its_place_are_named(tmp_path):
    with pytest.raises(KeyFileUnusable, match="does not exist; `modstream keys create`"):
        KeyFile(tmp_path / "keys.json").read()
    with pytest.raises(KeyFileUnusable, match="cannot be read: Is a directory"):
        KeyFile(tmp_path).read()


def test_a_gateway_follows_its_key_file_and_keeps_the_keys_of_a_damaged_one(tmp_path):
    path = tmp_path / "keys.json"
    file, new = KeyFile(path), create_key("web", ("read:*",), None, None, 0)
    file.add(new.record)
    keys = KnownKeys(KeyFile(path))
    keys.refresh()

    path.write_text("{")
    keys.refresh()
    assert keys.find(new.secret).caller.name == "web"
    assert "damaged" in keys.problem
    path.write_text('{"keys": []}')
    keys.refresh()

    with pytest.raises(InvalidCredentials):
        keys.find(new.secret)
