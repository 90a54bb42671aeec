"""Proofs, good ones and any other, and a server that takes good ones."""

from __future__ import annotations

from functools import cache

from asgi_auth import JWTBackend, Key
from asgi_auth.dpop import DPoP
from asgi_auth.dpop.proof import token_hash
from tests import forge
from tests.asgi import http_scope

ORIGIN = "https://api.example"
CLIENT = Key.generate("ES256")
STRANGER = Key.generate("ES256")
PRIVATE = ("kid", "use", "alg")


class Shared:
    """A store of which only ``once`` is used, and counted."""

    def __init__(self):
        self.used = {}

    async def once(self, space, key, *, ttl, now=None):
        assert space in {"dpop", "dpop asking"}
        return self.used.setdefault(key, ttl) is ttl


def public(key=CLIENT, **more):
    jwk = key.to_jwk()
    return {**{name: jwk[name] for name in jwk if name not in PRIVATE}, **more}


@cache
def bound_token(key=CLIENT, **more):
    return forge.token("ES256", cnf={"jkt": key.thumbprint()}, **more)


def header(key=CLIENT, **more):
    said = {"typ": "dpop+jwt", "alg": key.algorithm, "jwk": public(key), **more}
    return {name: value for name, value in said.items() if value is not None}


_count = iter(range(10**9))


def claims(token=None, **more):
    said = {
        "jti": f"proof-{next(_count)}",
        "htm": "GET",
        "htu": f"{ORIGIN}/orders",
        "iat": forge.NOW,
        "ath": token and token_hash(token),
        **more,
    }
    return {name: value for name, value in said.items() if value is not None}


def proof(token=None, *, key=CLIENT, head=None, **more):
    """Sign a proof that is good but for what is said otherwise."""
    return forge.sign(header(key, **(head or {})), claims(token, **more), key)


def dpop(**options):
    chosen = {"replay": Shared(), "clock": lambda: forge.NOW, **options}
    return DPoP(ORIGIN, **chosen)


def backend(**options):
    return JWTBackend(forge.verifier("ES256"), confirmations=[dpop(**options)])


def headers(token, *proofs, scheme=b"DPoP"):
    fields = [(b"authorization", scheme + b" " + token)]
    return [*fields, *((b"dpop", each) for each in proofs)]


def scope(path="/orders", **more):
    return http_scope(path, **more)
