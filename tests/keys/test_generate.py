"""New keys."""

from __future__ import annotations

import pytest

from asgi_auth._encoding import b64url_decode
from asgi_auth.errors import ConfigurationError
from asgi_auth.keys import Key


@pytest.mark.parametrize(("algorithm", "size"), [("HS256", 32), ("HS512", 64)])
def test_a_new_secret_is_as_long_as_the_hash(algorithm, size):
    jwk = Key.generate(algorithm).to_jwk(insecure_private=True)
    assert len(b64url_decode(jwk["k"].encode())) == size


def test_every_new_key_is_another_one():
    assert len({Key.generate("ES256") for _ in range(5)}) == 5


@pytest.mark.parametrize(("bits", "size"), [(None, 256), (3072, 384)])
def test_an_rsa_key_has_the_size_that_was_asked_for(bits, size):
    key = Key.generate("PS256", bits=bits)
    assert len(key.sign(b"")) == size


@pytest.mark.parametrize("bits", [0, 1024, 2047, 2049, 8200, -2048])
def test_an_unsafe_rsa_size_is_refused(bits):
    with pytest.raises(ConfigurationError, match="from 2048 to 8192"):
        Key.generate("RS256", bits=bits)


@pytest.mark.parametrize("algorithm", ["HS256", "ES256", "EdDSA"])
def test_bits_are_refused_where_the_algorithm_decides(algorithm):
    with pytest.raises(ConfigurationError, match="only with RS and PS"):
        Key.generate(algorithm, bits=2048)
