"""Sets of keys and their rotation."""

from __future__ import annotations

import functools
import json
import secrets
import threading

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from asgi_auth.errors import ConfigurationError
from asgi_auth.keys import Key, KeySet
from asgi_auth.keys._material import PRIVATE_MEMBERS

PEM = ec.generate_private_key(ec.SECP256R1()).private_bytes(
    Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
)


@functools.cache
def pair(kid: str, algorithm: str = "EdDSA") -> Key:
    return Key.generate(algorithm, kid=kid)


def secret(kid: str, algorithm: str = "HS256") -> Key:
    return Key.from_secret(secrets.token_bytes(64), algorithm, kid=kid)


def kids(keys: KeySet) -> list[str]:
    return [key.kid for key in keys]


def test_the_first_key_that_can_sign_signs():
    keys = KeySet([pair("a").public(), pair("b"), pair("c")])
    assert keys.signing_key.kid == "b"
    assert (len(keys), kids(keys)) == (3, ["a", "b", "c"])
    assert ("a" in keys, "z" in keys) == (True, False)
    assert (keys.generation, keys.is_symmetric) == (0, False)


@pytest.mark.parametrize("signing", ["c", pair("c")])
def test_the_signing_key_can_be_named(signing):
    assert KeySet([pair("b"), pair("c")], signing=signing).signing_key.kid == "c"


def test_a_signing_key_must_be_of_the_set_and_private():
    with pytest.raises(ConfigurationError, match="no key 'z': it has 'a', 'b'"):
        KeySet([pair("a"), pair("b")], signing="z")
    with pytest.raises(ConfigurationError, match="can only verify"):
        KeySet([pair("a"), pair("b").public()], signing="b")


def test_a_set_of_public_keys_has_no_signing_key():
    keys = KeySet([pair("a").public()])
    with pytest.raises(ConfigurationError, match="can only verify"):
        _ = keys.signing_key
    assert repr(keys) == "KeySet(kids=['a'], signing=None)"


def test_an_empty_or_huge_set_is_refused():
    with pytest.raises(ConfigurationError, match="this one has 0"):
        KeySet([])
    keys = [secret(str(n)) for n in range(101)]
    assert len(KeySet(keys[:100])) == 100
    with pytest.raises(ConfigurationError, match="this one has 101"):
        KeySet(keys)


def test_secrets_and_key_pairs_are_never_mixed():
    with pytest.raises(ConfigurationError, match="never mixes"):
        KeySet([pair("a"), secret("b")])
    with pytest.raises(ConfigurationError, match="never mixes"):
        KeySet([pair("a")]).add(secret("b"))


def test_two_keys_of_one_name_are_refused():
    with pytest.raises(ConfigurationError, match="have the kid 'a'"):
        KeySet([pair("a"), pair("a", "ES256")])
    with pytest.raises(ConfigurationError, match="have the kid 'a'"):
        KeySet([pair("a")]).add(pair("a"))


def test_a_key_is_found_by_its_name_and_its_algorithm():
    keys = KeySet([pair("a"), pair("b", "ES256")])
    assert keys.find("a", "EdDSA") is keys.find("a", "Ed25519") is pair("a")
    assert keys.find("b", "ES256") is pair("b", "ES256")
    assert keys.find("a", "ES256") is None
    assert keys.find("z", "EdDSA") is None
    assert keys.find("a", "none") is None


def test_a_key_is_found_without_a_name_only_if_no_other_has_the_algorithm():
    keys = KeySet([pair("a"), pair("b", "ES256"), pair("c", "ES256")])
    assert keys.find(None, "EdDSA") is keys.find(None, "Ed25519") is pair("a")
    assert keys.find(None, "ES256") is None
    assert keys.find(None, "RS256") is None
    assert keys.find("", "EdDSA") is None


def test_the_two_names_of_ed25519_count_as_one_algorithm():
    keys = KeySet([pair("a"), pair("b", "Ed25519")])
    assert keys.find(None, "EdDSA") is keys.find(None, "Ed25519") is None


def test_published_keys_are_public():
    keys = KeySet([pair("a"), pair("b", "ES256"), pair("c", "RS256")])
    jwks = keys.to_jwks()
    for jwk, key in zip(jwks["keys"], keys, strict=True):
        assert not jwk.keys() & {"k", *PRIVATE_MEMBERS["RSA"]}
        assert (jwk["kid"], jwk["alg"], jwk["use"]) == (key.kid, key.algorithm, "sig")
    again = KeySet.from_jwks(json.dumps(jwks))
    assert kids(again) == ["a", "b", "c"]
    assert again.find("a", "EdDSA").verify(b"m", keys.signing_key.sign(b"m"))


def test_secrets_are_never_published():
    keys = KeySet([secret("a"), secret("b")])
    assert keys.to_jwks() == {"keys": []}
    assert keys.is_symmetric


def test_every_maker_makes_a_set_of_one():
    raw = secrets.token_urlsafe(64)
    jwk = pair("a").to_jwk(insecure_private=True)
    assert KeySet.from_secret(raw, "HS512", kid="x").signing_key.algorithm == "HS512"
    assert KeySet.from_pem(PEM, "ES256", kid="p").signing_key.kid == "p"
    assert KeySet.from_jwk(jwk).signing_key == pair("a")
    assert KeySet.from_jwk(json.dumps(jwk), "EdDSA").signing_key == pair("a")
    assert KeySet.generate().signing_key.algorithm == "ES256"
    assert kids(KeySet.generate("EdDSA", kid="k")) == ["k"]


def test_a_private_jwk_set_signs_with_its_first_private_key():
    entries = [pair("a").to_jwk(), pair("b").to_jwk(insecure_private=True)]
    assert KeySet.from_jwks({"keys": entries}).signing_key.kid == "b"


@pytest.mark.parametrize(
    ("jwks", "advice"),
    [
        ("[]", "one JSON object"),
        ({}, 'array named "keys"'),
        ({"keys": {"a": 1}}, 'array named "keys"'),
        ({"keys": []}, "this one has 0"),
        ({"keys": [{}] * 101}, "this one has 101"),
        ({"keys": [pair("a").to_jwk(), "text"]}, "Key 1 of the JWK set is not"),
        (
            {"keys": [pair("a").to_jwk() | {"use": "enc"}]},
            "Key 0 .* for signatures",
        ),
        ({"keys": [pair("a").to_jwk()] * 2}, "have the kid 'a'"),
        (
            {"keys": [pair("a").to_jwk(), secret("b").to_jwk(insecure_private=True)]},
            "never mixes",
        ),
    ],
)
def test_a_jwk_set_that_cannot_be_used_is_refused(jwks, advice):
    with pytest.raises(ConfigurationError, match=advice):
        KeySet.from_jwks(jwks)


def test_a_rotation_goes_through_publish_promote_and_remove():
    old, new = pair("old"), pair("new")
    keys = KeySet([old])
    token = keys.signing_key.sign(b"m")

    keys.add(new)
    assert (keys.generation, keys.signing_key, kids(keys)) == (1, old, ["old", "new"])
    assert [jwk["kid"] for jwk in keys.to_jwks()["keys"]] == ["old", "new"]

    keys.promote("new")
    assert (keys.generation, keys.signing_key) == (2, new)
    assert keys.find("old", "EdDSA").verify(b"m", token)

    keys.remove("old")
    assert (keys.generation, kids(keys)) == (3, ["new"])
    assert keys.find("old", "EdDSA") is None


def test_what_cannot_be_done_changes_nothing():
    keys = KeySet([pair("a"), pair("b").public()])
    for call, advice in (
        (lambda: keys.remove("a"), "promote another"),
        (lambda: keys.remove("z"), "no key 'z'"),
        (lambda: keys.promote("z"), "no key 'z'"),
        (lambda: keys.promote("b"), "can only verify"),
        (lambda: keys.add(secret("c")), "never mixes"),
        (lambda: keys.replace([]), "this one has 0"),
    ):
        with pytest.raises(ConfigurationError, match=advice):
            call()
    assert (keys.generation, kids(keys), keys.signing_key.kid) == (0, ["a", "b"], "a")


def test_an_added_key_never_signs_before_it_is_promoted():
    keys = KeySet([pair("a").public(), pair("c").public()])
    keys.add(pair("b"))
    with pytest.raises(ConfigurationError, match="promote"):
        _ = keys.signing_key
    keys.remove("c")
    with pytest.raises(ConfigurationError, match="promote"):
        _ = keys.signing_key

    other = KeySet([pair("z")])
    other.replace(keys)
    with pytest.raises(ConfigurationError, match="promote"):
        _ = other.signing_key
    keys.promote("b")
    assert keys.signing_key.kid == "b"


def test_the_last_key_is_not_removed():
    keys = KeySet([pair("a").public()])
    with pytest.raises(ConfigurationError, match="this one has 0"):
        keys.remove("a")


def test_all_keys_are_replaced_at_once():
    keys = KeySet([pair("a")])
    keys.replace([pair("b"), pair("c")], signing="c")
    assert (keys.generation, kids(keys), keys.signing_key.kid) == (1, ["b", "c"], "c")
    keys.replace(iter([secret("d")]))
    assert (keys.generation, keys.is_symmetric) == (2, True)


def test_a_set_that_replaces_brings_its_signing_key():
    keys = KeySet([pair("a")])
    keys.replace(KeySet([pair("b"), pair("c")], signing="c"))
    assert keys.signing_key.kid == "c"
    keys.replace(KeySet([pair("b"), pair("c")], signing="c"), signing="b")
    assert keys.signing_key.kid == "b"
    keys.replace(keys)
    assert (keys.generation, keys.signing_key.kid) == (3, "b")


def test_readers_see_one_state_while_others_rotate():
    left = [pair("a"), pair("b")]
    right = [pair("c"), pair("d")]
    keys = KeySet(left)
    seen: list[tuple[str, ...]] = []
    done = threading.Event()

    def read():
        while not done.is_set():
            seen.append(tuple(kids(keys)))

    def write():
        for number in range(200):
            keys.replace(right if number % 2 == 0 else left)

    reader = threading.Thread(target=read)
    writers = [threading.Thread(target=write) for _ in range(2)]
    for thread in (reader, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    reader.join()
    assert set(seen) <= {("a", "b"), ("c", "d")}
    assert keys.generation == 400


def test_no_addition_is_lost_when_threads_add_at_once():
    keys = KeySet([secret("first")])
    added = [[secret(f"{n}-{m}") for m in range(20)] for n in range(4)]

    def add(batch: list[Key]) -> None:
        for key in batch:
            keys.add(key)

    threads = [threading.Thread(target=add, args=(batch,)) for batch in added]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(keys), keys.generation) == (81, 80)


def test_a_set_shows_names_and_no_secrets():
    raw = secrets.token_urlsafe(64)
    keys = KeySet.from_secret(raw, kid="k1")
    assert repr(keys) == "KeySet(kids=['k1'], signing='k1')"
    assert raw not in repr(keys)
