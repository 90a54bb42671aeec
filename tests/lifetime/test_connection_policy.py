"""What open connections end with, as it is chosen."""

from __future__ import annotations

import pickle
from dataclasses import FrozenInstanceError

import pytest

from asgi_auth import ConfigurationError, ConnectionPolicy


@pytest.mark.parametrize("choice", ["websockets", "streams"])
@pytest.mark.parametrize("word", ["never", "", "Token"])
def test_a_misspelt_choice_is_a_mistake(choice, word):
    with pytest.raises(ConfigurationError, match=f"{choice} must be session or token"):
        ConnectionPolicy(**{choice: word})


def test_sockets_end_with_something():
    with pytest.raises(ConfigurationError, match="websockets"):
        ConnectionPolicy(websockets=None)


def test_the_types_are_kept_as_they_were():
    types = ["Application/X-NDJSON", "*"]
    policy = ConnectionPolicy(stream_types=types)
    types.append("text/html")
    assert policy.stream_types == ("application/x-ndjson", "*")
    assert ConnectionPolicy(stream_types=iter(["a/b"])).stream_types == ("a/b",)
    assert ConnectionPolicy(stream_types="a/b") == ConnectionPolicy(
        stream_types=["A/B"]
    )
    assert pickle.loads(pickle.dumps(policy)) == policy


def test_a_policy_stays_as_it_is():
    policy = ConnectionPolicy()
    with pytest.raises(FrozenInstanceError):
        policy.websockets = "session"
    with pytest.raises(TypeError):
        ConnectionPolicy("session")
