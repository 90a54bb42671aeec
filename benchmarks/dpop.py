"""Bound tokens: what a new proof costs, beside one signature and beside a bearer token.

Whole requests through the middleware, with one client's key and an app that does
nothing. Proofs are made before the clock starts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from asgi_auth import AuthenticationMiddleware, JWTBackend, MemoryStore, TokenService
from asgi_auth.dpop import DPoP, ProofSigner
from asgi_auth.keys import Key
from benchmarks.backing import STORES
from benchmarks.material import AUDIENCE, ISSUER, Material
from benchmarks.measure import Probe, interleave, of_function
from benchmarks.report import number, table

__all__ = ["run", "show"]

_ORIGIN = "https://api.example"
_COUNTED = 200


def run(rounds: int) -> dict[str, Any]:
    """Time requests with and without proofs, and count round trips."""
    return asyncio.run(_measure(rounds))


def show(result: dict[str, Any]) -> str:
    """Lay out a line for each kind of request."""
    head = ["request", "µs", "signatures"]
    rows = [
        [row["name"], number(row["us"]), number(row["signatures"])]
        for row in result["rows"]
    ]
    trips = number(result["round_trips"])
    return f"{table(head, rows)}\n\nRound trips of a replay check on Redis: {trips}"


async def _measure(rounds: int) -> dict[str, Any]:
    key = Key.generate("ES256")
    signer = ProofSigner(key)
    tokens = TokenService(Material("ES256").keys, issuer=ISSUER, audience=AUDIENCE)
    bound = (await tokens.issue("user", thumbprint=signer.thumbprint)).access_token
    plain = (await tokens.issue("user")).access_token
    signed, signature = b"a" * 400, key.sign(b"a" * 400)
    public = key.public()
    signature_probe = of_function(
        ("one ES256 signature",), lambda one: public.verify(one, signature), signed
    )
    policies = {
        "no replay check": DPoP(_ORIGIN, replay=None),
        "proofs remembered here": DPoP(_ORIGIN, replay="local"),
        "proofs remembered by a store in memory": DPoP(_ORIGIN, replay=MemoryStore()),
    }
    probes = [signature_probe]
    for name, policy in policies.items():
        app = _app(tokens, policy)
        probes.append(_probe(f"bound token, {name}", app, bound, signer))

    probes.append(_probe("bearer token, beside DPoP", _app(tokens, policy), plain))
    probes.append(_probe("bearer token, without DPoP", _app(tokens), plain))
    await interleave(probes, rounds)
    yardstick = signature_probe.best
    rows = [
        {"name": each.name[0], "us": each.best, "signatures": each.best / yardstick}
        for each in probes
    ]
    trips = await _round_trips(tokens, bound, signer)
    return {"rounds": rounds, "rows": rows, "round_trips": trips}


async def _round_trips(tokens: TokenService, bound: str, signer: ProofSigner) -> float:
    async with STORES["Valkey"]() as backing:
        app = _app(tokens, DPoP(_ORIGIN, replay=backing.counted))
        scopes = [_scope(bound, signer) for _ in range(_COUNTED)]
        await app(_scope(bound, signer), _receive, _send)  # Connects.
        before = backing.proxy.count
        for scope in scopes:
            await app(scope, _receive, _send)

        count = backing.proxy.count - before
        await backing.counted.aclose()
        return count / _COUNTED


def _app(tokens: TokenService, *policies: DPoP) -> AuthenticationMiddleware:
    backend = JWTBackend(tokens, confirmations=policies)
    return AuthenticationMiddleware(_nothing, backend, required=True)


def _probe(name: str, app: Any, token: str, signer: ProofSigner | None = None) -> Probe:
    async def send_all(scopes: Sequence[Any]) -> None:
        for scope in scopes:
            await app(scope, _receive, _send)

    return Probe(
        (name,), send_all, lambda count: [_scope(token, signer) for _ in range(count)]
    )


def _scope(token: str, signer: ProofSigner | None = None) -> dict[str, Any]:
    scheme = "Bearer" if signer is None else "DPoP"
    headers = [
        (b"host", b"api.example"),
        (b"accept", b"*/*"),
        (b"authorization", f"{scheme} {token}".encode()),
    ]
    if signer is not None:
        proof = signer.sign("GET", f"{_ORIGIN}/orders", token=token)
        headers.append((b"dpop", proof.encode()))

    return {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "path": "/orders",
        "raw_path": b"/orders",
        "query_string": b"",
        "root_path": "",
        "headers": headers,
    }


async def _nothing(scope: Any, receive: Any, send: Any) -> None:
    """Do nothing, as a handler that is not measured."""
    assert scope["auth"].is_authenticated


async def _receive() -> dict[str, Any]:
    return {"type": "http.disconnect"}


async def _send(message: Any) -> None:
    msg = f"a request was refused: {message}"
    raise AssertionError(msg)
