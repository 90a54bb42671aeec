from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, asdict

import pytest

from asgi_auth import TokenPair

PAIR = TokenPair("the-access", "the-refresh", expires_in=900, refresh_expires_in=3600)


def test_tokens_do_not_show():
    assert "the-access" not in repr(PAIR)
    assert "the-refresh" not in repr(PAIR)


def test_it_is_the_answer_of_a_token_endpoint():
    assert json.loads(json.dumps(asdict(PAIR))) == {
        "access_token": "the-access",
        "refresh_token": "the-refresh",
        "expires_in": 900,
        "refresh_expires_in": 3600,
        "scope": "",
        "token_type": "Bearer",
        "session_id": "",
    }


def test_it_does_not_change():
    with pytest.raises(FrozenInstanceError):
        PAIR.access_token = "another"
