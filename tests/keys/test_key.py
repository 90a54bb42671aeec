"""One key, one algorithm."""

from __future__ import annotations

import copy
import functools
import hashlib
import hmac
import json
import pickle
import secrets

import jwt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asgi_auth._encoding import b64url_encode
from asgi_auth.errors import ConfigurationError
from asgi_auth.keys import Key
from tests.examples import some_of

SECRETS = ("HS256", "HS384", "HS512")
RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
CURVES = ("ES256", "ES384", "ES512")
EDWARDS = ("EdDSA", "Ed25519")
PAIRS = RSA + CURVES + EDWARDS
ALL = SECRETS + PAIRS
FAMILIES = ("HS256", "RS256", "PS256", "ES256", "EdDSA")
SIZES = {"ES256": 64, "ES384": 96, "ES512": 132, "EdDSA": 64, "Ed25519": 64}
MESSAGE = b"header.payload"


@functools.cache
def rsa_jwk() -> str:
    jwk = Key.generate("RS256").to_jwk(insecure_private=True)
    return json.dumps({name: jwk[name] for name in jwk.keys() - {"alg", "kid"}})


@functools.cache
def make(algorithm: str) -> Key:
    if algorithm in RSA:
        return Key.from_jwk(rsa_jwk(), algorithm)
    return Key.generate(algorithm)


def private_texts(key: Key) -> list[str]:
    jwk = key.to_jwk(insecure_private=True)
    names = {"k", "d", "p", "q", "dp", "dq", "qi"} & jwk.keys()
    return [jwk[name] for name in names]


@pytest.mark.parametrize("algorithm", ALL)
def test_what_a_key_signs_it_verifies(algorithm):
    key = make(algorithm)
    signature = key.sign(MESSAGE)
    assert key.verify(MESSAGE, signature)
    assert not key.verify(MESSAGE + b"x", signature)
    assert len(signature) == SIZES.get(algorithm, len(signature))
    assert (key.algorithm, key.is_private) == (algorithm, True)
    assert key.is_symmetric is (algorithm in SECRETS)


@pytest.mark.parametrize("algorithm", ALL)
def test_pyjwt_and_a_key_understand_each_other(algorithm):
    key = make(algorithm)
    name = "EdDSA" if algorithm == "Ed25519" else algorithm
    private = key.to_jwk(insecure_private=True) | {"alg": name}
    public = private if key.is_symmetric else key.to_jwk() | {"alg": name}

    token = jwt.PyJWS().encode(b"{}", jwt.PyJWK(private), algorithm=name).encode()
    message, _, signature = token.rpartition(b".")
    assert key.verify(message, jwt.utils.base64url_decode(signature))

    ours = message + b"." + b64url_encode(key.sign(message))
    assert jwt.PyJWS().decode(ours, jwt.PyJWK(public), algorithms=[name]) == b"{}"


@pytest.mark.parametrize("algorithm", ALL)
def test_the_names_of_an_algorithm_are_its_own(algorithm):
    expected = set(EDWARDS) if algorithm in EDWARDS else {algorithm}
    assert make(algorithm).algorithm_names == expected


@pytest.mark.parametrize("algorithm", FAMILIES)
@pytest.mark.parametrize("size", [0, 1, 31, 32, 63, 64, 65, 255, 256, 257, 1_000_000])
@pytest.mark.parametrize("byte", [b"\0", b"\1", b"\xff"])
def test_no_junk_signature_is_accepted_or_raises(algorithm, size, byte):
    key = make(algorithm)
    assert key.verify(MESSAGE, byte * size) is False


@settings(max_examples=some_of(200), deadline=None)
@given(st.sampled_from(FAMILIES), st.binary(max_size=300), st.binary(max_size=300))
def test_no_random_signature_is_accepted_or_raises(algorithm, message, signature):
    assert make(algorithm).verify(message, signature) is False


@pytest.mark.parametrize("algorithm", FAMILIES)
def test_a_signature_with_a_byte_more_or_less_is_refused(algorithm):
    key = make(algorithm)
    signature = key.sign(MESSAGE)
    assert not key.verify(MESSAGE, signature + b"\0")
    assert not key.verify(MESSAGE, b"\0" + signature)
    assert not key.verify(MESSAGE, signature[:-1])


def test_an_ecdsa_signature_in_der_form_is_refused():
    key = make("ES256")
    raw = key.sign(MESSAGE)
    numbers = [int.from_bytes(half, "big") for half in (raw[:32], raw[32:])]
    parts = [n.to_bytes(n.bit_length() // 8 + 1, "big") for n in numbers]
    body = b"".join(b"\x02" + bytes([len(part)]) + part for part in parts)
    assert not key.verify(MESSAGE, b"\x30" + bytes([len(body)]) + body)


@pytest.mark.parametrize("algorithm", SECRETS)
def test_mac_and_sign_are_the_hmac(algorithm):
    secret = secrets.token_bytes(64)
    key = Key.from_secret(secret, algorithm)
    expected = hmac.new(secret, MESSAGE, f"sha{algorithm[2:]}").digest()
    assert key.mac(MESSAGE) == key.sign(MESSAGE) == expected


def test_a_text_secret_is_its_utf8_bytes():
    text = secrets.token_urlsafe(32) + "é"
    assert Key.from_secret(text) == Key.from_secret(text.encode())


def test_a_key_pair_has_no_mac():
    with pytest.raises(ConfigurationError, match=r"verify\(\)"):
        make("ES256").mac(MESSAGE)


@pytest.mark.parametrize("algorithm", PAIRS)
def test_the_public_half_verifies_and_cannot_sign(algorithm):
    key = make(algorithm)
    public = key.public()
    assert public.verify(MESSAGE, key.sign(MESSAGE))
    assert not public.is_private
    assert (public.kid, public.algorithm) == (key.kid, algorithm)
    assert public == key
    with pytest.raises(ConfigurationError, match="can only verify"):
        public.sign(MESSAGE)
    with pytest.raises(ConfigurationError, match="no private half"):
        public.to_jwk(insecure_private=True)


@pytest.mark.parametrize("algorithm", PAIRS)
def test_a_jwk_holds_the_public_half_only_unless_asked(algorithm):
    key = make(algorithm)
    jwk = key.to_jwk()
    assert (jwk["use"], jwk["alg"], jwk["kid"]) == ("sig", algorithm, key.kid)
    assert not jwk.keys() & {"k", "d", "p", "q", "dp", "dq", "qi", "key_ops"}
    assert Key.from_jwk(jwk) == key
    assert not Key.from_jwk(jwk).is_private

    again = Key.from_jwk(json.dumps(key.to_jwk(insecure_private=True)))
    assert again == key
    assert key.verify(MESSAGE, again.sign(MESSAGE))


def test_a_secret_is_in_a_jwk_only_if_asked_and_has_no_public_half():
    key = make("HS256")
    with pytest.raises(ConfigurationError, match="insecure_private"):
        key.to_jwk()
    with pytest.raises(ConfigurationError, match="no public half"):
        key.public()
    assert Key.from_jwk(key.to_jwk(insecure_private=True)) == key


def test_the_thumbprint_of_a_secret_is_that_of_its_jwk():
    key = make("HS256")
    k = key.to_jwk(insecure_private=True)["k"]
    digest = hashlib.sha256(b'{"k":"%s","kty":"oct"}' % k.encode()).digest()
    assert key.thumbprint() == key.kid == b64url_encode(digest).decode()


def test_keys_are_equal_by_kid_algorithm_and_thumbprint():
    key = make("RS256")
    same = Key.from_jwk(rsa_jwk(), "RS256")
    named = Key.from_jwk(json.loads(rsa_jwk()) | {"kid": "a"}, "RS256")
    assert key == same
    assert hash(key) == hash(same)
    assert len({key, same, named, make("PS256"), make("ES256")}) == 4
    assert key != "RS256"


@pytest.mark.parametrize("kid", ["a", "x" * 256, "2024-01 ü", "https://a.example/k"])
def test_a_printable_kid_is_kept(kid):
    assert Key.generate("EdDSA", kid=kid).kid == kid


@pytest.mark.parametrize(
    "kid", ["", "x" * 257, "a\nb", "a\0", "\x7f", "\ud800", 7, b"a", ["a"]]
)
def test_an_unusable_kid_is_refused(kid):
    with pytest.raises(ConfigurationError, match="1 to 256 printable"):
        Key.generate("EdDSA", kid=kid)
    with pytest.raises(ConfigurationError, match="1 to 256 printable"):
        Key.from_jwk(make("EdDSA").to_jwk() | {"kid": kid})


@pytest.mark.parametrize("algorithm", FAMILIES)
def test_private_material_is_in_no_text(algorithm):
    key = make(algorithm)
    encrypting = key.to_jwk(insecure_private=True) | {"use": "enc"}
    texts = [repr(key), str(key), f"{key}", repr([key]), repr(key._material)]
    for call in (
        lambda: pickle.dumps(key),
        lambda: setattr(key, "kid", "x"),
        lambda: Key.from_jwk(encrypting),
        lambda: Key.from_jwk(encrypting | {"use": "sig", "alg": "none"}),
    ):
        with pytest.raises((TypeError, AttributeError, ConfigurationError)) as caught:
            call()
        texts.append(str(caught.value))
    for private in private_texts(key):
        assert not any(private in text for text in texts)


def test_the_repr_says_what_a_reader_of_logs_needs():
    key = Key.generate("ES256", kid="k1")
    assert repr(key) == ("Key(kid='k1', algorithm='ES256', private=True, material=***)")


def test_a_key_never_changes():
    key = make("ES256")
    with pytest.raises(AttributeError, match="never changes"):
        key.algorithm = "none"
    with pytest.raises(AttributeError, match="never changes"):
        del key.kid
    with pytest.raises(AttributeError, match="never changes"):
        key.anything = 1


def test_a_key_can_be_copied_and_not_pickled():
    key = make("ES256")
    assert copy.copy(key) is key
    assert copy.deepcopy([key])[0] is key
    with pytest.raises(TypeError, match="to_jwk"):
        pickle.dumps(key)


@pytest.mark.parametrize(
    "name",
    ["none", "None", "NONE", "nOnE", "", "hs256", "HS1", "ES256K", "Ed448", "RSA1_5"],
)
def test_an_unknown_algorithm_is_refused_with_the_list_of_good_ones(name):
    for call in (
        lambda: Key.generate(name),
        lambda: Key.from_secret(secrets.token_bytes(64), name),
        lambda: Key.from_jwk(make("ES256").to_jwk() | {"alg": name}),
    ):
        with pytest.raises(ConfigurationError, match=r"use one of HS256, .*, Ed25519"):
            call()


@pytest.mark.parametrize("name", [None, 256, ["HS256"]])
def test_an_algorithm_that_is_no_text_is_refused(name):
    with pytest.raises(ConfigurationError, match="is not supported"):
        Key.generate(name)


@pytest.mark.parametrize("algorithm", PAIRS)
def test_a_secret_is_refused_for_an_algorithm_of_key_pairs(algorithm):
    with pytest.raises(ConfigurationError, match="needs a key pair"):
        Key.from_secret(secrets.token_bytes(64), algorithm)


@pytest.mark.parametrize(("algorithm", "size"), [("HS256", 32), ("HS512", 64)])
def test_a_secret_shorter_than_the_hash_is_refused(algorithm, size):
    with pytest.raises(ConfigurationError, match=f"at least {size}"):
        Key.from_secret(secrets.token_bytes(size - 1), algorithm)


@pytest.mark.parametrize("secret", [None, 7, "\ud800" * 40, bytearray(40)])
def test_a_secret_that_is_neither_text_nor_bytes_is_refused(secret):
    with pytest.raises(ConfigurationError, match="must be bytes"):
        Key.from_secret(secret)
