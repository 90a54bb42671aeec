from __future__ import annotations

import base64
import dataclasses
import json
import time

import pytest

from asgi_auth import KeySet, TokenService
from asgi_auth.client import Tokens
from asgi_auth.client.errors import BadAnswerError
from asgi_auth.errors import ConfigurationError
from asgi_auth.testing import FakeClock

NOW = 1_700_000_000.0


def read(answer, **options):
    return Tokens.from_answer(answer, received_at=NOW, **options)


def jwt(clock, **options):
    tokens = TokenService(KeySet.generate("ES256"), issuer="https://a", clock=clock)
    return tokens.mint("ann", ttl=900, **options)


async def test_a_pair_of_the_service_is_read():
    tokens = TokenService(KeySet.generate("ES256"), issuer="https://a")
    pair = await tokens.issue("ann")
    found = read(dataclasses.asdict(pair))
    assert found == Tokens(pair.access_token, pair.refresh_token, NOW + 900, 900)


def test_the_end_is_counted_on_the_local_clock_from_now_on():
    before = time.time()
    found = Tokens.from_answer({"access_token": "a", "expires_in": 60})
    assert before + 60 <= found.expires_at <= time.time() + 60


def test_names_may_be_written_in_camel_case():
    answer = {"accessToken": "a", "refreshToken": "r", "expiresIn": 9}
    assert read(answer | {"tokenType": "Bearer"}) == Tokens("a", "r", NOW + 9, 9)


@pytest.mark.parametrize(
    ("expires_in", "lifetime"),
    [
        (3600, 3600),
        (0.5, 0.5),
        ("3600", 3600),
        (10**30, 366 * 86400),
        ("9" * 5000, 366 * 86400),
        (0, None),
        (-1, None),
        (None, None),
        (True, None),
        ("soon", None),
        ("\u0663", None),
        (float("nan"), None),
        (float("inf"), None),
        ([1], None),
    ],
)
def test_strange_life_times_are_taken_or_left(expires_in, lifetime):
    found = read({"access_token": "a", "expires_in": expires_in})
    assert found.lifetime == lifetime
    assert found.expires_at == (None if lifetime is None else NOW + lifetime)


@pytest.mark.parametrize("ahead", [-86400, 0, 86400])
def test_without_expires_in_only_times_of_the_server_are_compared(ahead):
    clock = FakeClock(NOW + ahead)
    token = jwt(clock)
    assert read({"access_token": token}).expires_at == NOW + 900
    later = read({"access_token": token}, server_time=clock() + 300)
    assert later.expires_at == NOW + 600


def test_a_date_that_cannot_be_is_passed_over():
    clock = FakeClock(NOW)
    found = read({"access_token": jwt(clock)}, server_time=NOW + 9000)
    assert found.lifetime == 900


def test_a_token_that_never_lived_has_no_life_time():
    token = jwt(FakeClock(NOW))
    assert read({"access_token": token}, server_time=NOW + 900).lifetime == 900
    assert read({"access_token": ended_at_birth()}).lifetime is None


def ended_at_birth():
    part = base64.urlsafe_b64encode(b'{"alg":"x"}').rstrip(b"=").decode()
    claims = base64.urlsafe_b64encode(b'{"exp":5,"iat":9}').rstrip(b"=").decode()
    return f"{part}.{claims}.c2ln"


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"access_token": None},
        {"access_token": ""},
        {"access_token": 1},
        {"access_token": "a b"},
        {"access_token": "a\r\nX-Evil: 1"},
        {"access_token": "\u20ac"},
        {"access_token": "a", "refresh_token": "r\n"},
        {"access_token": "a", "token_type": "DPoP"},
    ],
)
def test_an_answer_without_usable_tokens_is_an_error(answer):
    with pytest.raises(BadAnswerError) as caught:
        read(answer)
    assert "Evil" not in repr(caught.value)


def test_no_header_can_be_injected_by_stored_tokens():
    with pytest.raises(ConfigurationError) as caught:
        Tokens("secret\r\nx: y")
    assert "secret" not in str(caught.value)


def test_tokens_do_not_show_in_a_repr():
    assert "secret" not in repr(Tokens("secret-a", "secret-r"))


def test_tokens_survive_a_file():
    tokens = Tokens("a", "r", NOW, 900.0, None)
    assert Tokens(**json.loads(json.dumps(dataclasses.asdict(tokens)))) == tokens
