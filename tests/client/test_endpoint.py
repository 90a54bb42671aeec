from __future__ import annotations

import json
from urllib.parse import parse_qs

import pytest

from asgi_auth.client import LoggedOutError, RefreshFailedError, Tokens
from asgi_auth.client.endpoint import RefreshAnswer, RefreshEndpoint
from asgi_auth.errors import ConfigurationError

NOW = 1_700_000_000.0
URL = "https://api.example/auth/refresh"
OLD = Tokens("old", "r1")
INVALID = ('Bearer error="invalid_token"',)


def read(status, body=b"", challenges=(), date=None):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = RefreshAnswer(status, tuple(challenges), date, body)
    return RefreshEndpoint(URL).read(answer, OLD, asked_at=NOW)


def test_it_asks_in_json():
    headers, body = RefreshEndpoint(URL).ask("r1")
    assert headers["content-type"] == "application/json"
    assert json.loads(body) == {"refresh_token": "r1"}


def test_it_asks_with_the_form_of_oauth():
    headers, body = RefreshEndpoint(URL, form={"client_id": "cli"}).ask("r&1")
    assert headers["content-type"] == "application/x-www-form-urlencoded"
    assert parse_qs(body.decode()) == {
        "refresh_token": ["r&1"],
        "client_id": ["cli"],
        "grant_type": ["refresh_token"],
    }


def test_new_tokens_are_dated_from_the_question_on():
    found = read(200, {"access_token": "a", "refresh_token": "r2", "expires_in": 9})
    assert found == Tokens("a", "r2", NOW + 9, 9.0, renewed_at=NOW)


def test_a_refresh_token_that_is_not_replaced_stays():
    assert read(200, {"access_token": "a"}).refresh_token == "r1"


@pytest.mark.parametrize(
    ("status", "body", "challenges"),
    [
        (400, {"error": "invalid_grant"}, ()),
        (401, {"error": "invalid_grant"}, ()),
        (401, {"code": "token_reused"}, INVALID),
    ],
)
def test_a_refusal_ends_the_log_in(status, body, challenges):
    with pytest.raises(LoggedOutError):
        read(status, body, challenges)


@pytest.mark.parametrize(
    ("status", "body", "challenges"),
    [
        (500, b"", ()),
        (503, {"error": "invalid_grant"}, INVALID),
        (429, b"", ()),
        (404, b"", ()),
        (302, b"", ()),
        (204, b"", ()),
        (401, b"<html>", ('Basic realm="proxy"',)),
        (401, {"error": "invalid_client"}, ()),
        (400, {"error": "invalid_request"}, ()),
        (403, {"error": "invalid_grant"}, ()),
        (200, b"<html>", ()),
        (200, b"[" * 100_000, ()),
        (200, [1], ()),
        (200, {"access_token": None}, ()),
        (200, {"access_token": "a", "token_type": "DPoP"}, ()),
    ],
)
def test_anything_else_only_fails_now(status, body, challenges):
    with pytest.raises(RefreshFailedError):
        read(status, body, challenges)


@pytest.mark.parametrize("date", ["rubbish", "", "Tue, 99 Nov 2023 99:99:99 GMT"])
def test_a_strange_date_is_passed_over(date):
    assert read(200, {"access_token": "a"}, date=date).expires_at is None


@pytest.mark.parametrize(
    "url",
    [
        "http://api.example/refresh",
        "https://user:word@api.example/refresh",
        "api.example",
        "ftp://api.example",
        "",
    ],
)
def test_refresh_tokens_go_over_tls_only(url):
    with pytest.raises(ConfigurationError):
        RefreshEndpoint(url)


def test_nothing_secret_shows():
    endpoint = RefreshEndpoint(URL, form={"client_secret": "hush"})
    assert "hush" not in repr(endpoint)
    assert "hush" not in repr(RefreshAnswer(200, body=b"hush"))
