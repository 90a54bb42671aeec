from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_auth import ConfigurationError, Key
from asgi_auth.dpop import Nonces
from asgi_auth.dpop.errors import InvalidProofError, NonceRequiredError
from asgi_auth.dpop.proof import ProofReader, proof_in, token_hash
from asgi_auth.dpop.signer import ProofSigner
from asgi_auth.dpop.target import Target
from tests import forge
from tests.asgi import http_scope, websocket_scope
from tests.dpop import proofs

VECTORS = json.loads(
    (Path(__file__).parent.parent / "vectors/rfc9449.json").read_text()
)
TOKEN = b"an-access-token"
SECRET = "o6Jt0C4tXfJ8c3Yw5sQvR1kZ9mB7nE2u"
RSA = Key.generate("RS256")


def reader(origin=proofs.ORIGIN, **options):
    chosen = {
        "algorithms": ("ES256", "Ed25519", "EdDSA"),
        "max_age": 60,
        "skew": 5,
        "nonces": None,
        "clock": lambda: forge.NOW,
        **options,
    }
    return ProofReader(Target(origin), **chosen)


def read(proof, **options):
    scope = options.pop("scope", proofs.scope())
    return reader(**options).read(proof, scope, token=TOKEN)


def test_a_good_proof_tells_whose_key_it_is():
    proof = read(proofs.proof(TOKEN, jti="one"))
    assert proof == (proofs.CLIENT.thumbprint(), "one", forge.NOW + 60)


@pytest.mark.parametrize("name", ["token_request", "resource_request"])
def test_the_examples_of_the_rfc_are_good(name):
    example = VECTORS[name]
    origin, _, path = example["url"].rpartition("/")
    judge = reader(origin, clock=lambda: example["iat"] + 1)
    scope = http_scope(f"/{path}", method=example["method"])
    token = example.get("token")
    for _ in range(2):  # The second time with the key that is kept.
        proof = judge.read(
            example["proof"].encode(),
            scope,
            token=token and token.encode(),
            thumbprint=VECTORS["jkt"],
        )
        assert (proof.thumbprint, proof.jti) == (VECTORS["jkt"], example["jti"])

    if token:
        assert token_hash(token.encode()) == example["ath"]


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA", "RS256", "PS256", "ES512"])
def test_each_algorithm_with_a_public_key_can_be_allowed(algorithm):
    key = Key.generate(algorithm)
    proof = proofs.proof(TOKEN, key=key)
    names = (algorithm,)
    assert read(proof, algorithms=names).thumbprint == key.thumbprint()
    if algorithm not in {"ES256", "EdDSA"}:
        refused(proof)


def refused(proof, error=InvalidProofError, **options):
    with pytest.raises(error) as caught:
        read(proof, **options)

    assert type(caught.value) is error
    return str(caught.value)


@pytest.mark.parametrize(
    "head",
    [
        {"typ": "JWT"},
        {"typ": "DPOP+JWT"},
        {"typ": "application/dpop+jwt"},
        {"typ": None},
        {"alg": "none"},
        {"alg": "HS256"},
        {"alg": None},
        {"alg": ["ES256"]},
        {"alg": "ES384"},
        {"jwk": None},
        {"jwk": "key"},
        {"jwk": []},
        {"jwk": {}},
        {"jwk": proofs.public(d="AAAA")},
        {"jwk": proofs.CLIENT.to_jwk(insecure_private=True)},
        {"jwk": {"kty": "oct", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA"}},
        {"jwk": proofs.public(RSA)},
        {"jwk": proofs.public(y=proofs.public()["x"])},
        {"jwk": proofs.public(crv="P-384")},
        {"jwk": proofs.public(use="enc")},
        {"jwk": {"kty": "EC", "crv": "P-256", "x5c": ["AAAA"]}},
        {"crit": ["b64"], "b64": False},
        {"zip": "DEF"},
    ],
)
def test_a_header_that_is_not_that_of_a_proof_is_refused(head):
    refused(proofs.proof(TOKEN, head=head))


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"htm": "POST"}, "htm"),
        ({"htm": "get"}, "htm"),
        ({"htm": None}, "htm"),
        ({"htu": "https://api.example/other"}, "htu"),
        ({"htu": 5}, "htu"),
        ({"htu": None}, "htu"),
        ({"ath": token_hash(b"another-token")}, "ath"),
        ({"ath": None}, "ath"),
        ({"ath": 5}, "ath"),
        ({"jti": None}, "jti"),
        ({"jti": ""}, "jti"),
        ({"jti": 5}, "jti"),
        ({"jti": "x" * 256}, "jti"),
        ({"iat": None}, "iat"),
        ({"iat": str(forge.NOW)}, "iat"),
        ({"iat": True}, "iat"),
        ({"iat": forge.NOW - 61}, "iat"),
        ({"iat": forge.NOW + 6}, "iat"),
        ({"iat": 10**400}, "iat"),
    ],
)
def test_a_claim_that_is_missing_or_another_is_refused(claims, why):
    assert why in refused(proofs.proof(TOKEN, **claims))


@pytest.mark.parametrize("age", [60, 59.5, 0, -5])
def test_the_window_of_time_has_an_old_and_a_new_end(age):
    read(proofs.proof(TOKEN, iat=forge.NOW - age))


def test_a_proof_of_another_key_or_changed_is_refused():
    head, payload, signature = proofs.proof(TOKEN).split(b".")
    other = forge.b64(json.dumps(proofs.claims(TOKEN)).encode())
    refused(b".".join([head, other, signature]))
    refused(b".".join([head, payload, signature[:-4]]))
    refused(b".".join([head, payload, b"$$$"]))
    refused(b".".join([head, payload, b""]))
    swapped = forge.sign(
        proofs.header(proofs.CLIENT), proofs.claims(TOKEN), proofs.STRANGER
    )
    refused(swapped)


def test_only_the_key_that_is_asked_for_will_do_each_time():
    judge = reader()
    for _ in range(3):
        mine = proofs.proof(TOKEN)
        thumbprint = proofs.CLIENT.thumbprint()
        judge.read(mine, proofs.scope(), token=TOKEN, thumbprint=thumbprint)
        other = proofs.proof(TOKEN, key=proofs.STRANGER)
        with pytest.raises(InvalidProofError, match="another key"):
            judge.read(other, proofs.scope(), token=TOKEN, thumbprint=thumbprint)


def test_strangers_do_not_fill_the_table_of_keys():
    judge = reader()
    judge.read(proofs.proof(TOKEN), proofs.scope(), token=TOKEN)
    assert not judge._keys.table
    thumbprint = proofs.CLIENT.thumbprint()
    forged = forge.sign(proofs.header(), proofs.claims(TOKEN), proofs.STRANGER)
    with pytest.raises(InvalidProofError):
        judge.read(forged, proofs.scope(), token=TOKEN, thumbprint=thumbprint)
    assert not judge._keys.table


@pytest.mark.parametrize(
    "proof", [b"", b".", b"..", b"...", b"a.b.c", b"\xff.\xff.\xff", b"x" * 100_000]
)
def test_what_is_no_jws_is_refused(proof):
    refused(proof)


def test_a_proof_of_a_hundred_kilobytes_is_not_parsed():
    refused(proofs.proof(TOKEN, padding="x" * 75_000))


def test_two_proofs_are_refused_and_a_list_of_two_is():
    one = proofs.proof(TOKEN)
    assert proof_in(http_scope(headers=[(b"DPoP", one)])) == one
    assert proof_in(http_scope()) is None
    with pytest.raises(InvalidProofError, match="two"):
        proof_in(http_scope(headers=[(b"dpop", one), (b"DPOP", one)]))

    refused(one + b", " + one)
    refused(one + b"," + proofs.proof(TOKEN))


def test_nonces_are_asked_for_and_those_of_other_servers_do_not_do():
    nonces = Nonces(SECRET, clock=lambda: forge.NOW)
    others = Nonces(SECRET[::-1], clock=lambda: forge.NOW)
    read(proofs.proof(TOKEN, nonce=nonces.current()), nonces=nonces)
    for nonce in (None, "", 5, others.current(), nonces.current()[:-1], "\ud800"):
        proof = proofs.proof(TOKEN, nonce=nonce)
        with pytest.raises(InvalidProofError):
            read(proof, nonces=nonces)

    with pytest.raises(NonceRequiredError) as caught:
        read(proofs.proof(TOKEN), nonces=nonces)
    assert caught.value.headers == ((b"dpop-nonce", nonces.current().encode()),)


def test_a_nonce_lives_for_a_minute_or_two():
    now = [forge.NOW // 60 * 60]
    nonces = Nonces(SECRET, clock=lambda: now[0])
    worker = Nonces(SECRET, clock=lambda: now[0])
    nonce = nonces.current()
    for seconds, known in [
        (0, True),
        (119, True),
        (120, False),
        (-60, True),
        (-61, False),
    ]:
        now[0] = forge.NOW // 60 * 60 + seconds
        assert worker.knows(nonce) is known
    now[0] += 6000
    assert not worker.knows(nonce)
    assert len(worker._known) == 3


@pytest.mark.parametrize("secret", ["", b"", "short", "x" * 64])
def test_a_weak_secret_makes_no_nonces(secret):
    with pytest.raises(ConfigurationError):
        Nonces(secret)


def test_the_handshake_of_a_socket_is_a_get():
    for url in ("wss://api.example/orders", "https://api.example/orders"):
        read(proofs.proof(TOKEN, htu=url), scope=websocket_scope("/orders"))


def test_a_signer_makes_proofs_that_are_good():
    signer = ProofSigner(clock=lambda: forge.NOW)
    nonces = Nonces(SECRET, clock=lambda: forge.NOW)
    first, second = (
        signer.sign(
            "GET",
            "https://api.example/orders?page=2#top",
            token=TOKEN.decode(),
            nonce=nonces.current(),
        ).encode()
        for _ in range(2)
    )
    good = read(first, nonces=nonces)
    assert good.thumbprint == signer.thumbprint
    assert good.jti != read(second, nonces=nonces).jti
    bare = ProofSigner(RSA, clock=lambda: forge.NOW).sign(
        "GET", "https://api.example/a"
    )
    scope = http_scope("/a")
    assert reader(algorithms=["RS256"]).read(bare.encode(), scope).jti


@pytest.mark.parametrize("key", [Key.from_secret(SECRET), proofs.CLIENT.public()])
def test_a_signer_needs_a_key_pair(key):
    with pytest.raises(ConfigurationError):
        ProofSigner(key)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner),
    max_leaves=4,
)


@given(
    head=st.dictionaries(st.sampled_from(["typ", "alg", "jwk", "crit", "kid"]), JSON),
    said=st.dictionaries(
        st.sampled_from(["jti", "htm", "htu", "iat", "ath", "nonce"]), JSON
    ),
)
def test_no_members_of_any_shape_are_more_than_refused(head, said):
    text = forge.sign(
        json.dumps({**proofs.header(), **head}).encode(),
        json.dumps({**proofs.claims(TOKEN), **said}).encode(),
        proofs.CLIENT,
    )
    try:
        read(text, nonces=Nonces(SECRET, clock=lambda: forge.NOW))
    except InvalidProofError:
        return

    pytest.fail("a proof without a nonce of ours was taken")


@given(st.binary(max_size=300) | st.text(".-_eyJ", max_size=60).map(str.encode))
def test_no_bytes_are_more_than_refused(text):
    refused(text)


@given(st.integers(0, 2), st.integers(0, 400), st.integers(1, 255))
def test_no_changed_byte_is_passed_over(segment, place, change):
    parts = [bytearray(part) for part in proofs.proof(TOKEN).split(b".")]
    part = parts[segment]
    part[place % len(part)] ^= change
    refused(b".".join(map(bytes, parts)))
