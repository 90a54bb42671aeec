from __future__ import annotations

import json

import pytest

from asgi_auth.client import bearer_subprotocols, reauthentication
from asgi_auth.errors import ConfigurationError

TOKEN = "eyJh.eyJz.c2ln"


def test_a_token_alone_is_offered_as_it_is():
    assert bearer_subprotocols(TOKEN) == ["bearer", TOKEN]


def test_next_to_another_protocol_a_token_is_encoded():
    assert bearer_subprotocols("to/ken=", "chat.v1", "chat.v0") == [
        "chat.v1",
        "chat.v0",
        "base64url.bearer.authorization.dG8va2VuPQ",
    ]


@pytest.mark.parametrize("token", ["", "to/ken=", "a b", "a,b", "\u20ac"])
def test_what_cannot_be_a_name_is_not_offered(token):
    with pytest.raises(ConfigurationError) as caught:
        bearer_subprotocols(token)
    assert not token or token not in str(caught.value)


@pytest.mark.parametrize("name", ["", "chat v1", "a,b"])
def test_other_protocols_have_good_names(name):
    with pytest.raises(ConfigurationError):
        bearer_subprotocols(TOKEN, name)


def test_the_message_is_json():
    assert json.loads(reauthentication(TOKEN)) == {"type": "auth", "token": TOKEN}
