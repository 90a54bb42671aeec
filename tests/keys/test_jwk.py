"""Keys from JSON Web Keys, and what is refused there."""

from __future__ import annotations

import json
import secrets

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import RSAAlgorithm

from asgi_auth._encoding import b64url_encode
from asgi_auth.errors import ConfigurationError
from asgi_auth.keys import Key

P = 2**255 - 19


def private(algorithm: str, **changes: object) -> dict[str, object]:
    jwk = Key.generate(algorithm).to_jwk(insecure_private=True)
    return without(jwk, "alg", "kid", "use") | changes


def without(jwk: dict[str, object], *names: str) -> dict[str, object]:
    return {name: jwk[name] for name in jwk if name not in names}


def refusal(jwk: object, algorithm: str | None = None) -> str:
    with pytest.raises(ConfigurationError) as caught:
        Key.from_jwk(jwk, algorithm)
    assert caught.value.__context__ is None or caught.value.__suppress_context__
    return str(caught.value)


RSA = private("RS256")
RSA_OTHER = private("RS256")
EC = private("ES256")
EC_OTHER = private("ES256")
OKP = private("EdDSA")
OCT = private("HS256")


@pytest.mark.parametrize(
    ("jwk", "algorithm"),
    [(RSA, "RS256"), (EC, "ES256"), (OKP, "EdDSA"), (OCT, "HS256")],
)
def test_the_natural_algorithm_is_taken_where_none_is_named(jwk, algorithm):
    assert Key.from_jwk(jwk).algorithm == algorithm
    assert Key.from_jwk(json.dumps(jwk)).algorithm == algorithm


def test_the_alg_of_the_key_decides_and_must_agree():
    assert Key.from_jwk(RSA | {"alg": "PS512"}).algorithm == "PS512"
    assert Key.from_jwk(RSA | {"alg": "PS512"}, "PS512").algorithm == "PS512"
    assert "for PS512, and RS256" in refusal(RSA | {"alg": "PS512"}, "RS256")
    assert "does not work with this key" in refusal(EC | {"alg": "ES384"})
    assert "needs a key pair" in refusal(OCT | {"alg": "RS256"})
    assert "does not work with this key" in refusal(RSA | {"alg": "HS256"})


def test_the_two_names_of_ed25519_agree():
    key = Key.from_jwk(OKP | {"alg": "EdDSA"}, "Ed25519")
    assert key.algorithm == "Ed25519"
    assert Key.from_jwk(OKP | {"alg": "Ed25519"}).algorithm == "Ed25519"


@pytest.mark.parametrize("alg", ["none", "RSA-OAEP", "dir", 7, ["RS256"], {}])
def test_an_alg_that_signs_nothing_is_refused(alg):
    assert "is not supported" in refusal(RSA | {"alg": alg})
    assert "is not supported" in refusal(RSA | {"alg": alg}, "RS256")


@pytest.mark.parametrize("use", ["enc", "", None, ["sig"], "SIG"])
def test_a_use_other_than_sig_is_refused(use):
    assert "not for signatures" in refusal(EC | {"use": use})
    assert Key.from_jwk(EC | {"use": "sig"}).is_private


def test_key_ops_that_allow_neither_half_are_refused():
    public = without(EC, "d")
    for jwk in (EC, OCT, public):
        assert "key_ops" in refusal(jwk | {"key_ops": []})
        assert "key_ops" in refusal(jwk | {"key_ops": ["encrypt", "deriveKey"]})
        assert "key_ops" in refusal(jwk | {"key_ops": "verify"})
        assert "key_ops" in refusal(jwk | {"key_ops": None})
    assert "key_ops" in refusal(public | {"key_ops": ["sign"]})


def test_key_ops_without_sign_make_a_key_that_only_verifies():
    signer = Key.from_jwk(OCT)
    for jwk, full in ((EC, Key.from_jwk(EC)), (OCT, signer)):
        key = Key.from_jwk(jwk | {"key_ops": ["verify"]})
        assert not key.is_private
        assert key.verify(b"m", full.sign(b"m"))
        with pytest.raises(ConfigurationError, match="can only verify"):
            key.sign(b"m")


def test_a_secret_that_only_verifies_stays_so_when_it_is_stored():
    key = Key.from_jwk(OCT | {"key_ops": ["verify"]})
    stored = key.to_jwk(insecure_private=True)
    assert not Key.from_jwk(stored).is_private


@pytest.mark.parametrize("operations", [["sign"], ["sign", "verify"], ("sign",)])
def test_key_ops_with_sign_make_a_key_that_signs(operations):
    key = Key.from_jwk(EC | {"key_ops": operations})
    assert key.verify(b"m", key.sign(b"m"))


@pytest.mark.parametrize(
    "jwk",
    [
        "",
        "[]",
        "null",
        "{",
        '"text"',
        '{"kty":"oct","kty":"RSA"}',
        "[" * 100_000,
        None,
        7,
        [("kty", "oct")],
        b"{}",
    ],
)
def test_what_is_not_one_json_object_is_refused(jwk):
    assert "one JSON object" in refusal(jwk)


@pytest.mark.parametrize("kty", [None, "", "rsa", "AKP", 7, ["EC"]])
def test_an_unknown_key_type_is_refused(kty):
    assert "kty must be" in refusal(EC | {"kty": kty})


@pytest.mark.parametrize(
    ("jwk", "name"),
    [(RSA, name) for name in ("n", "e", "d", "dq")]
    + [(EC, name) for name in ("x", "y", "d")]
    + [(OKP, "x"), (OKP, "d"), (OCT, "k")],
)
@pytest.mark.parametrize("value", ["", "AQAB=", "A+/B", "é", "\ud800", "AR", 7, None])
def test_a_member_that_is_not_canonical_base64url_is_refused(jwk, name, value):
    assert f"member {name} of the JWK" in refusal(jwk | {name: value})


@pytest.mark.parametrize(
    ("jwk", "name"), [(RSA, "n"), (RSA, "e"), (EC, "y"), (OKP, "x"), (OCT, "k")]
)
def test_a_missing_public_member_is_refused(jwk, name):
    assert f"member {name} of the JWK" in refusal(without(jwk, name))


@pytest.mark.parametrize("crv", [None, "", "P-384", "p-256", "Ed25519", 7, ["P-256"]])
def test_a_wrong_curve_is_refused(crv):
    assert "not a valid key" in refusal(EC | {"crv": crv})
    assert "not a valid key" in refusal(OKP | {"crv": "Ed448"})


def test_secp256k1_is_refused():
    with pytest.raises(ConfigurationError, match="ES256K"):
        Key.from_jwk(EC | {"alg": "ES256K"})


@pytest.mark.parametrize(
    "jwk",
    [
        EC | {"d": EC_OTHER["d"]},
        EC | {"y": EC_OTHER["y"]},
        without(EC, "d") | {"y": EC_OTHER["y"]},
        EC | {"d": b64url_encode(bytes(32)).decode()},
        OKP | {"d": private("EdDSA")["d"]},
        OKP | {"d": "AQAB"},
        RSA | {"d": RSA_OTHER["d"]},
        RSA | {"n": RSA_OTHER["n"]},
        RSA | {"p": RSA_OTHER["p"]},
        RSA | {"dp": RSA_OTHER["dp"]},
        without(RSA, "q"),
        without(RSA, "p", "q", "dp", "dq", "qi") | {"d": RSA_OTHER["d"]},
    ],
)
def test_halves_that_do_not_belong_together_are_refused(jwk):
    assert "do not belong together" in refusal(jwk)


def test_an_rsa_key_without_its_primes_is_read():
    key = Key.from_jwk(without(RSA, "p", "q", "dp", "dq", "qi"))
    assert key == Key.from_jwk(RSA)
    assert key.is_private


def test_an_rsa_key_of_three_primes_is_refused():
    assert "more than two primes" in refusal(RSA | {"oth": [{}]})


@pytest.mark.parametrize(
    ("bits", "advice"), [(1024, "1024 bits"), (2040, "2040 bits"), (16_400, "16400")]
)
def test_an_rsa_modulus_of_unsafe_size_is_refused(bits, advice):
    modulus = b64url_encode(((1 << bits) - 1).to_bytes(bits // 8, "big")).decode()
    assert advice in refusal({"kty": "RSA", "n": modulus, "e": "AQAB"})


@pytest.mark.parametrize("exponent", [3, 17, 257, 65_535, 2**64 + 1])
def test_an_unsafe_rsa_exponent_is_refused(exponent):
    e = b64url_encode(exponent.to_bytes(9, "big").lstrip(b"\0")).decode()
    assert "from 65537 up" in refusal({"kty": "RSA", "n": RSA["n"], "e": e})


def test_an_even_rsa_exponent_or_modulus_is_refused():
    numbers = rsa.generate_private_key(65_537, 2048).public_key().public_numbers()
    even = rsa.RSAPublicNumbers(numbers.e, numbers.n - 1).public_key()
    assert "unsafe modulus" in refusal(RSAAlgorithm.to_jwk(even, as_dict=True))
    refusal({"kty": "RSA", "n": RSA["n"], "e": b64url_encode(b"\1\0\2").decode()})


@pytest.mark.parametrize("y", [0, 1, P - 1, P, P + 1])
@pytest.mark.parametrize("sign", [0, 1 << 255])
def test_an_ed25519_point_of_small_order_is_refused(y, sign):
    x = b64url_encode((y | sign).to_bytes(32, "little")).decode()
    refusal({"kty": "OKP", "crv": "Ed25519", "x": x})


def test_the_points_of_order_eight_are_refused_by_name():
    low = "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"
    x = b64url_encode(bytes.fromhex(low)).decode()
    assert "anybody can sign" in refusal({"kty": "OKP", "crv": "Ed25519", "x": x})


def test_a_weak_secret_is_refused_in_a_jwk_too():
    for secret in (b"short", b"\0" * 64, b"your-256-bit-secret"):
        text = refusal({"kty": "oct", "k": b64url_encode(secret).decode()})
        assert "Make a good one" in text
    k = b64url_encode(secrets.token_bytes(32)).decode()
    assert "at least 64" in refusal({"kty": "oct", "k": k, "alg": "HS512"})


def test_members_that_mean_nothing_here_are_ignored():
    assert Key.from_jwk(EC | {"x5c": ["AA=="], "ext": True, "nbf": 1, "kid": "k"})


WRONG = (None, True, 0, -1, 2**300, 0.5, "", "AA", "é", "\ud800", "none", [], {})
RIGHT = ("AQAB", "sig", "P-256", "EC", "oct", "HS256", ["sign"], EC["x"], OKP["x"])
VALUES = st.sampled_from(WRONG + RIGHT)
NAMES = ("kty", "crv", "x", "y", "d", "n", "e", "k", "p", "alg", "use", "key_ops")


@given(
    st.sampled_from([RSA, EC, OKP, OCT, {}]),
    st.dictionaries(st.sampled_from([*NAMES, "kid", "oth"]), VALUES, max_size=3),
)
def test_a_mangled_key_is_accepted_or_refused_and_never_fails_otherwise(jwk, changes):
    try:
        key = Key.from_jwk(jwk | changes)
    except ConfigurationError:
        return
    assert not key.verify(b"message", b"")
