"""Tokens for the joiner's Kafka client, from an OpenID provider."""

import asyncio

import pytest

from modstream.processors.errors import TokenRefused
from modstream.processors.join.faust.tokens import ClientCredentials
from tests.secure.token_issuer import serve_tokens

SECRET = "canary"  # noqa: S105


class Clock:
    """A clock that the test moves."""

    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def issuer():
    with serve_tokens({"joiner": SECRET}) as served:
        yield served


def test_a_token_is_kept_until_most_of_its_life_has_passed(issuer):
    clock = Clock()
    tokens = ClientCredentials(f"{issuer.url}/token", "joiner", SECRET, clock=clock)

    async def ask():
        first = await tokens.token()
        clock.now += 0.7 * issuer.life_s
        second = await tokens.token()
        clock.now += 0.2 * issuer.life_s
        await tokens.token()
        return first == second

    assert asyncio.run(ask())
    assert issuer.issued == 2


@pytest.mark.parametrize(
    ("path", "secret", "reason"),
    [
        ("/token", "wrong", "status 401"),
        ("/health", SECRET, "no token"),
    ],
)
def test_a_refusal_says_the_reason_and_no_secret(issuer, path, secret, reason):
    tokens = ClientCredentials(issuer.url + path, "joiner", secret)

    with pytest.raises(TokenRefused, match=reason) as refused:
        asyncio.run(tokens.token())

    assert secret not in str(refused.value)
    assert secret not in repr(tokens)


def test_an_issuer_that_is_away_is_named(issuer):
    tokens = ClientCredentials("http://127.0.0.1:9/token", "joiner", SECRET)

    with pytest.raises(TokenRefused, match=r"127\.0\.0\.1:9"):
        asyncio.run(tokens.token())
