from __future__ import annotations

import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_auth.keys._mac import PreparedMAC


@given(
    secret=st.binary(max_size=300),
    messages=st.lists(st.binary(max_size=300), min_size=1, max_size=3),
    digest=st.sampled_from(["sha256", "sha384", "sha512"]),
)
def test_it_agrees_with_the_standard_library(secret, messages, digest):
    mac = PreparedMAC(secret, digest)

    for message in messages:
        assert mac(message) == hmac.digest(secret, message, digest)


@pytest.mark.parametrize("digest", ["sha256", "sha384", "sha512"])
@pytest.mark.parametrize("length", [0, 1, 63, 64, 65, 127, 128, 129, 1000])
def test_keys_around_the_block_size_agree_with_the_standard_library(digest, length):
    secret = bytes(range(256)) * 4

    mac = PreparedMAC(secret[:length], digest)

    assert mac(b"message") == hmac.digest(secret[:length], b"message", digest)
