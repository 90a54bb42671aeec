"""Which keys are read from a JWK set, from certificates and from PEM."""

from __future__ import annotations

import base64
import json
import logging
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from asgi_auth import (
    ConfigurationError,
    Key,
    KeySet,
)
from asgi_auth.backends.trusted import TrustedIssuer
from asgi_auth.keys._jwks import read_jwks, read_pem
from tests.idp.issuer import new_key, public
from tests.keys.jwks_world import body, settle


def test_unusable_keys_are_left_out_and_told_of():
    good, private, secret = new_key(), new_key(), new_key("HS256")
    found = read_jwks(
        body(
            public(good),
            private.as_dict(private=True),
            secret.as_dict(private=True),
            public(new_key(), use="enc"),
            public(new_key(), key_ops=["encrypt"]),
            public(new_key(), alg="RSA-OAEP"),
            public(new_key(), alg="none"),
            public(new_key(), alg=[]),
            public(new_key(), kid=[]),
            public(new_key(), kty="AKP"),
            public(new_key(), kty={}),
            public(new_key(), x="!"),
            "text",
            None,
        )
    )
    assert [key.kid for key in found.keys] == [good.kid]
    assert len(found.skipped) == 13
    told = " ".join(found.skipped)
    assert "private key" in told
    assert "HMAC" in told
    assert private.as_dict(private=True)["d"] not in told


async def test_skipped_keys_are_logged_once(client, realm, clock, caplog):
    realm.jwks["keys"].append(new_key("HS256").as_dict(private=True))
    with caplog.at_level(logging.WARNING, "asgi_auth.keys"):
        await client.ready()
        clock.advance(601)
        await client.ready()
        await settle(client)
    assert [r.message.count("HMAC") for r in caplog.records] == [1]
    assert client.stats().skipped == 1


def test_keys_that_share_a_kid_are_all_left_out():
    one, two, good = new_key(kid="same"), new_key(kid="same"), new_key()
    found = read_jwks(body(public(one), public(good), public(two)))
    assert [key.kid for key in found.keys] == [good.kid]
    assert found.skipped == ("2 keys have the kid 'same'",)


def test_one_key_may_be_listed_for_two_algorithms():
    key = new_key("RS256")
    one, two = public(key, alg="RS256"), public(key, alg="PS256")
    found = read_jwks(body(one, two))
    assert not found.skipped
    keys = KeySet(found.keys)
    for algorithm in ("RS256", "PS256"):
        assert keys.find(key.kid, algorithm).algorithm == algorithm
    assert keys.find(key.kid, "RS512") is None
    assert len(read_jwks(body(one, two), algorithms=("RS256",)).keys) == 1
    with pytest.raises(ConfigurationError, match="1 to 100"):
        keys.remove(key.kid)


def test_a_key_of_one_algorithm_without_a_kid_is_found_under_each():
    members = public(new_key("RS256"))
    del members["kid"]
    listed = [{**members, "alg": alg} for alg in ("RS256", "PS256")]
    keys = KeySet(read_jwks(body(*listed)).keys)
    assert keys.find("theirs", "PS256").algorithm == "PS256"
    assert keys.find("theirs", "ES256") is None


async def test_a_nameless_key_that_was_rotated_is_asked_for(realm, clock, client):
    del realm.jwks["keys"][0]["kid"]
    keys = await client.ready()
    assert keys.find("x", "ES256") is not None
    issuer = TrustedIssuer(realm.issuer, audience="api", keys=client)
    assert await issuer.admit(realm.token())
    realm.jwks["keys"] = []
    realm.rotate()
    del realm.jwks["keys"][0]["kid"]
    assert await issuer.admit(realm.token())
    assert realm.fetches == 2


def test_the_keys_of_spiffe_say_which_of_its_documents_they_are_for():
    key, other = new_key(), new_key()
    keys = body(public(key, use="jwt-svid"), public(other, use="x509-svid"))
    found = read_jwks(keys)
    assert [key.kid for key in found.keys] == [key.kid]
    assert len(found.skipped) == 1


# ------------------------------------------------------------------- certificates


def certify(algorithm="ES256", kid=None):
    """Return a key, and a certificate for it that has expired."""
    key = Key.generate(algorithm, kid=kid)
    private = key._material.private
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "signer")])
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2021, 1, 1, tzinfo=UTC))
        .sign(private, hashes.SHA256())
    )
    return key, signed


def pem_of(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def x5c_of(certificate):
    der = certificate.public_bytes(serialization.Encoding.DER)
    return [base64.b64encode(der).decode(), "the rest of the chain"]


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_a_key_may_be_nothing_but_a_certificate(algorithm):
    key, certificate = certify(algorithm)
    kty = "RSA" if algorithm == "RS256" else "EC"
    jwk = {"kty": kty, "kid": "one", "alg": algorithm, "x5c": x5c_of(certificate)}
    (read,) = read_jwks(body(jwk)).keys
    assert (read.kid, read.algorithm) == ("one", algorithm)
    assert read.verify(b"x", key.sign(b"x"))


@pytest.mark.parametrize(
    "chain",
    [None, [], "x", [""], ["!"], [5], ["YWJj"], ["YWJj="], [None], {"0": "x"}],
)
def test_what_is_no_chain_is_left_out(chain):
    with pytest.raises(ConfigurationError, match="x5c"):
        read_jwks(body({"kty": "RSA", "x5c": chain}))


def test_a_certificate_is_of_the_type_that_its_entry_says():
    _, certificate = certify("ES256")
    jwk = {"kty": "RSA", "x5c": x5c_of(certificate)}
    with pytest.raises(ConfigurationError):
        read_jwks(body(jwk))
    with pytest.raises(ConfigurationError, match="another type of key than RSA"):
        Key.from_jwk(jwk)


def test_a_certificate_beside_a_key_is_not_looked_at():
    key, other = new_key(), certify()[1]
    (read,) = read_jwks(body(public(key, x5c=x5c_of(other)))).keys
    assert read.thumbprint() == key.thumbprint()


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
def test_keys_may_be_pem_under_their_kid(algorithm):
    key, other = Key.generate(algorithm), Key.generate(algorithm)
    texts = {"one": public_pem(key), "two": public_pem(other)}
    found = read_jwks(json.dumps(texts).encode())
    assert [key.kid for key in found.keys] == ["one", "two"]
    assert found.keys[0].verify(b"x", key.sign(b"x"))


def test_pem_may_be_certificates_as_firebase_has_them():
    _, certificate = certify("RS256")
    texts = json.dumps({"f1": pem_of(certificate)}).encode()
    (read,) = read_jwks(texts, algorithms=("RS256",)).keys
    assert (read.kid, read.algorithm) == ("f1", "RS256")
    with pytest.raises(ConfigurationError, match="not accepted"):
        read_jwks(texts, algorithms=("ES256",))


def test_no_private_key_is_read_from_pem():
    private = Key.generate("ES256")._material.private
    text = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
    with pytest.raises(ConfigurationError, match="private"):
        read_jwks(json.dumps({"one": text}).encode())
    with pytest.raises(ConfigurationError, match="not PEM"):
        read_pem(None, "one")


@pytest.mark.parametrize(
    "members", [{}, {"one": 5}, {"error": "x"}, {"one": ["-----BEGIN "]}]
)
def test_an_object_of_anything_else_is_no_set(members):
    with pytest.raises(ConfigurationError, match="no JWK set"):
        read_jwks(json.dumps(members).encode())


def public_pem(key):
    return key._material.public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ).decode()


def test_the_same_key_twice_is_one_key():
    key = new_key()
    assert len(read_jwks(body(public(key), public(key))).keys) == 1


def test_a_key_for_encryption_may_share_the_kid_of_one_that_signs():
    key, other = new_key(kid="same"), new_key("RS256", kid="same")
    found = read_jwks(body(public(key), public(other, use="enc", alg="RSA-OAEP")))
    assert [key.algorithm for key in found.keys] == ["ES256"]


def test_a_key_without_alg_gets_the_first_accepted_one_that_fits():
    keys = body(public(new_key("RS256")), public(new_key("Ed25519")))
    assert [k.algorithm for k in read_jwks(keys).keys] == ["RS256", "EdDSA"]
    chosen = read_jwks(keys, algorithms=("PS256", "RS256"))
    assert [k.algorithm for k in chosen.keys] == ["PS256"]


def test_a_key_is_for_its_own_alg_only():
    found = read_jwks(body(public(new_key("RS256"), alg="RS512")))
    assert found.keys[0].algorithm_names == {"RS512"}
    with pytest.raises(ConfigurationError):
        read_jwks(body(public(new_key("RS256"), alg="RS512")), algorithms=("RS256",))


def test_keys_of_another_issuer_are_left_out():
    mine, other, silent = new_key(), new_key(), new_key()
    found = read_jwks(
        body(public(mine, issuer="us"), public(other, issuer="them"), public(silent)),
        issuers=["us"],
    )
    assert {key.kid for key in found.keys} == {mine.kid, silent.kid}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b'{"keys": {}}',
        b'{"keys": []}',
        b'{"keys": [], "keys": []}',
        b"[" * 100_000,
        b'{"keys": ' + b"1" * 10_000 + b"}",
        json.dumps({"keys": [{}] * 101}).encode(),
    ],
)
def test_what_is_no_set_of_use_is_refused(content):
    with pytest.raises(ConfigurationError):
        read_jwks(content)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


MEMBERS = ("kty", "crv", "x", "y", "n", "e", "alg", "use", "key_ops", "kid", "issuer")
ALMOST = st.sampled_from([public(Key_) for Key_ in (new_key(), new_key("RS256"))])


@settings(deadline=None)  # A thread of the provider shares the core.
@given(
    st.lists(
        st.builds(
            lambda key, odd: {**key, **odd},
            ALMOST,
            st.dictionaries(st.sampled_from(MEMBERS), JSON, max_size=3),
        ),
        max_size=3,
    )
)
def test_nothing_in_a_set_raises_anything_unexpected(keys):
    try:
        found = read_jwks(json.dumps({"keys": keys}).encode(), issuers=["us"])
    except ConfigurationError:
        return
    assert all(isinstance(key, Key) and not key.is_private for key in found.keys)
