"""Nothing is accepted here that PyJWT refuses, and both read the same claims.

Each example damages a good token, or signs a strange one. The one exception is the
name ``Ed25519`` (RFC 9864), which PyJWT does not know.
"""

from __future__ import annotations

import json
import random
import time
from collections import Counter

import jwt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asgi_auth import InvalidTokenError, TokenVerifier, Verification
from tests import forge
from tests.examples import some_of

# For each of four families; the long run makes over 20 000 in all.
EXAMPLES = {"each run": some_of(1300), "the long run": 5200}
RUNS = [
    pytest.param("each run"),
    pytest.param("the long run", marks=pytest.mark.slow),
]
SKEW = 60
STARTED = time.time()
ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
FAMILIES = ("HS256", "RS256", "ES256", "EdDSA")

# What fuzzers love to put where something else is expected.
VALUES = (
    None,
    True,
    False,
    0,
    -1,
    1,
    2**31,
    2**63,
    10**400,
    -(10**400),
    0.5,
    -0.5,
    1e308,
    "",
    "0",
    "ada",
    "none",
    "HS256",
    "RS256",
    "ES256",
    "EdDSA",
    "Ed25519",
    "at+jwt",
    "application/at+jwt",
    "JWT",
    "rt+jwt",
    "access",
    "refresh",
    "\x00",
    "☃",
    [],
    ["api"],
    ["exp"],
    [None],
    {},
    {"a": 1},
    forge.ISSUER,
    [forge.ISSUER],
    forge.AUDIENCE,
    [forge.AUDIENCE, "other"],
)
HEADER_NAMES = (
    "alg",
    "typ",
    "kid",
    "cty",
    "crit",
    "b64",
    "zip",
    "enc",
    "jwk",
    "jku",
    "x5u",
    "x5c",
    "x5t",
    "x",
)
CLAIM_NAMES = (
    "iss",
    "sub",
    "aud",
    "exp",
    "nbf",
    "iat",
    "jti",
    "sid",
    "type",
    "typ",
    "token_use",
    "token_type",
    "nonce",
    "at_hash",
    "events",
    "scope",
    "roles",
    "acr",
    "auth_time",
    "client_id",
    "name",
    "x",
)


def base_claims(rng):
    now = int(STARTED)
    claims = forge.claims(now, exp=now + 3600, jti=f"t{rng.randrange(1000)}")
    if rng.random() < 0.5:
        claims["aud"] = rng.choice(["api", ["api"], ["api", "web"]])
    if rng.random() < 0.3:
        claims["nbf"] = now - rng.randrange(100)
    return claims


class Mutations:
    """Ways to spoil a token of one family; some of them do no harm."""

    def __init__(self, algorithm):
        self.family = forge.family(algorithm)
        self.header = forge.header(algorithm)
        fixed = random.Random(algorithm)
        self.good = [
            forge.sign(self.header, base_claims(fixed), self.family.key)
            for _ in range(40)
        ]

    def nothing(self, rng):
        return rng.choice(self.good)

    def some_bytes(self, rng):
        token = bytearray(rng.choice(self.good))
        for _ in range(rng.choice([1, 1, 1, 2, 5])):
            at = rng.randrange(len(token))
            byte = rng.choice([*ALPHABET, *b"=.+/ \n\x00\xff", rng.randrange(256)])
            verb = rng.randrange(4)
            if verb == 0:
                token[at] = byte
            elif verb == 1:
                token.insert(at, byte)
            elif verb == 2 and len(token) > 1:
                del token[at]
            else:
                token[at] ^= 1 << rng.randrange(8)

        return bytes(token)

    def ends(self, rng):
        token = rng.choice(self.good)
        extra = rng.choice([b"=", b"==", b".", b"A", b"\n", b" ", b"\x00", token])
        verb = rng.randrange(3)
        if verb == 0:
            return token + extra

        return extra + token if verb == 1 else token[: -rng.randrange(1, 90)]

    def segments(self, rng):
        first, second = (rng.choice(self.good).split(b".") for _ in range(2))
        parts = [rng.choice([a, b]) for a, b in zip(first, second, strict=True)]
        if rng.random() < 0.3:
            rng.shuffle(parts)
        if rng.random() < 0.1:
            parts[rng.randrange(3)] = b""
        return b".".join(parts)

    def encoding(self, rng):
        parts = rng.choice(self.good).split(b".")
        at = rng.randrange(3)
        part = parts[at]
        verb = rng.randrange(5)
        if verb == 0:
            part += b"=" * (-len(part) % 4 or 4)
        elif verb == 1:
            cut = rng.randrange(len(part) + 1)
            part = part[:cut] + rng.choice([b" ", b"\n", b"\t", b"\r\n"]) + part[cut:]
        elif verb == 2:
            last = ALPHABET.index(part[-1:])
            part = part[:-1] + ALPHABET[(last + rng.randrange(1, 16)) % 64 :][:1]
        elif verb == 3:
            part = part.replace(b"-", b"+").replace(b"_", b"/")
        else:
            part = part[:-1] + rng.choice([b"%41", b"\xc3\xa9", b"~"])

        parts[at] = part
        return b".".join(parts)

    def headers(self, rng):
        header = {**self.header}
        for _ in range(rng.choice([1, 1, 2, 3])):
            name = rng.choice(HEADER_NAMES)
            if rng.random() < 0.25:
                header.pop(name, None)
            else:
                header[name] = rng.choice(VALUES)

        return self.signed(rng, header, base_claims(rng))

    def payloads(self, rng):
        claims = base_claims(rng)
        for _ in range(rng.choice([1, 1, 2, 3])):
            name = rng.choice(CLAIM_NAMES)
            verb = rng.random()
            if verb < 0.2:
                claims.pop(name, None)
            elif verb < 0.4:
                claims[name] = int(STARTED) + rng.choice([-4000, -61, 30, 61, 10**9])
            else:
                claims[name] = rng.choice(VALUES)

        return self.signed(rng, self.header, claims)

    def raw_json(self, rng):
        text = bytearray(
            json.dumps(base_claims(rng), ensure_ascii=rng.random() < 0.5), "utf-8"
        )
        at = rng.randrange(len(text))
        verb = rng.randrange(6)
        if verb == 0:
            text[at:at] = rng.choice([b" ", b"\n", b"\x00", b"\xff", b"{", b'"', b"\\"])
        elif verb == 1:
            text[-1:] = rng.choice([b',"sub":"eve"}', b',"x":NaN}', b',"x":1e999}'])
        elif verb == 2:
            text[-1:] = (
                b',"x":' + rng.choice([b"[[[]]]", b'{"a":{}}', b"9" * 4000]) + b"}"
            )
        elif verb == 3:
            text[:0] = rng.choice([b" ", b"\xef\xbb\xbf", b"[", b"//\n"])
        elif verb == 4:
            text[-1:] = rng.choice([b',"\\ud83d\\ude00":1}', b',"x":"\\ud800"}', b"} "])
        else:
            del text[at]

        return self.signed(rng, self.header, bytes(text))

    def signed(self, rng, header, payload):
        wrong = rng.random() < 0.15
        key = self.family.stranger if wrong else self.family.key
        return forge.sign(header, payload, key)


RECIPES = (
    "nothing",
    "some_bytes",
    "some_bytes",
    "ends",
    "segments",
    "encoding",
    "headers",
    "headers",
    "payloads",
    "payloads",
    "raw_json",
)
counts: dict[str, Counter[str]] = {name: Counter() for name in FAMILIES}


def their_verdict(token, family):
    return jwt.decode(
        token,
        family.theirs,
        algorithms=[family.algorithm],
        audience=forge.AUDIENCE,
        issuer=forge.ISSUER,
        leeway=SKEW,
    )


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("algorithm", FAMILIES)
def test_whatever_is_accepted_here_pyjwt_accepts_too(algorithm, run):
    family, mutations = forge.family(algorithm), Mutations(algorithm)
    verifier = TokenVerifier(
        family.keys,
        issuer=forge.ISSUER,
        audience=forge.AUDIENCE,
        types=("at+jwt", "jwt", ""),
        verification=Verification(skew=SKEW),
    )
    count = Counter()

    @settings(
        max_examples=EXAMPLES[run],
        deadline=None,
        database=None,
        suppress_health_check=[*HealthCheck],
    )
    @given(st.sampled_from(RECIPES), st.integers(0, 2**32 - 1))
    def compare(recipe, seed):
        token = getattr(mutations, recipe)(random.Random(seed))
        count["examples"] += 1
        try:
            ours = verifier.verify(token).claims
        except InvalidTokenError:
            assert forge.recall(verifier, token) is None
            return

        count["accepted"] += 1
        remembered = forge.recall(verifier, token)
        assert remembered is None or remembered.claims is ours
        if jwt.get_unverified_header(token)["alg"] == "Ed25519":
            assert algorithm == "EdDSA"
            count["Ed25519"] += 1
            return

        theirs = their_verdict(token, family)
        count["compared"] += 1
        assert json.dumps(ours, sort_keys=True) == json.dumps(theirs, sort_keys=True)

    compare()
    # A comparison that hardly ever compares would prove nothing.
    assert count["examples"] >= EXAMPLES[run] * 0.95
    assert count["compared"] > count["examples"] / 20
    assert count["accepted"] == count["compared"] + count["Ed25519"]
    assert count["accepted"] < count["examples"]


@pytest.mark.parametrize("algorithm", FAMILIES)
def test_every_recipe_makes_a_token_that_is_refused(algorithm):
    mutations = Mutations(algorithm)
    verifier = TokenVerifier(
        forge.family(algorithm).keys,
        issuer=forge.ISSUER,
        audience=forge.AUDIENCE,
        verification=Verification(skew=SKEW),
    )
    for recipe in {*RECIPES} - {"nothing"}:
        refused = 0
        for seed in range(60):
            try:
                verifier.verify(getattr(mutations, recipe)(random.Random(seed)))
            except InvalidTokenError:
                refused += 1

        assert refused, recipe
