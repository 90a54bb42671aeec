"""An identity provider on a real socket, which signs with joserfc and not with us.

One server for the whole run, in a thread; each test has a realm of its own, which can
be told to misbehave.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import itertools
import json
import socket
import threading
import time
from functools import cache
from typing import Any
from urllib.parse import parse_qs

import uvicorn
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from joserfc import jwt
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

_numbers = itertools.count(1)
# To find primes takes longer than most tests: one has at most these.
_rsa_places = itertools.cycle(range(8))


@cache
def _rsa(place: int) -> RSAPrivateKey:
    return rsa.generate_private_key(65_537, 2048)


def _rsa_key(kid: str) -> RSAKey:
    return RSAKey.import_key(_rsa(next(_rsa_places)), {"kid": kid, "use": "sig"})


_MAKERS = {
    "RS256": _rsa_key,
    "PS256": _rsa_key,
    "ES256": lambda kid: ECKey.generate_key("P-256", {"kid": kid, "use": "sig"}),
    "Ed25519": lambda kid: OKPKey.generate_key("Ed25519", {"kid": kid, "use": "sig"}),
    "HS256": lambda kid: OctKey.generate_key(256, {"kid": kid}),
}


def new_key(algorithm: str = "ES256", kid: str | None = None) -> Key:
    return _MAKERS[algorithm](kid or f"key-{next(_numbers)}")


def public(key: Key, **more) -> dict:
    return {**key.as_dict(private=False), **more}


class Realm:
    """One issuer: its keys, its documents, and what it was asked."""

    def __init__(self, base: str, name: str) -> None:
        self.issuer = f"{base}/{name}"
        self.jwks_uri = f"{self.issuer}/jwks"
        self.introspect_uri = f"{self.issuer}/introspect"
        self.algorithm = "ES256"
        self.key = new_key()
        self.jwks: dict = {"keys": [public(self.key, alg="ES256")]}
        self.jwks_headers: dict[str, str] = {}
        self.metadata: dict = {"issuer": self.issuer, "jwks_uri": self.jwks_uri}
        self.tokens: dict[str, dict] = {}
        self.asked: list[tuple[str, dict, dict]] = []
        self.fault: str | None = None
        self.delay = 0.0
        self.body: bytes | None = None
        self.raw = b""
        self.authorization: Any = None

    @property
    def fetches(self) -> int:
        """Count how often the keys were asked for."""
        return sum(path.endswith("/jwks") for path, _, _ in self.asked)

    def rotate(self, algorithm: str = "ES256") -> None:
        """Sign with a new key, beside which the old one stays published."""
        self.algorithm, self.key = algorithm, new_key(algorithm)
        self.jwks["keys"].append(public(self.key, alg=algorithm))

    def claims(self, **more) -> dict:
        now = int(time.time())
        said = {
            "iss": self.issuer,
            "aud": "api",
            "sub": "ada",
            "iat": now,
            "exp": now + 600,
            **more,
        }
        return {name: value for name, value in said.items() if value is not None}

    def sign(self, claims: dict, *, key: Key | None = None, **header) -> bytes:
        """Sign *claims* as they are."""
        key = key or self.key
        algorithm = header.pop("alg", self.algorithm)
        head = {"alg": algorithm, "kid": key.kid, **header}
        head = {name: value for name, value in head.items() if value is not None}
        # Issuers write members of their own into headers.
        registry = JWSRegistry(algorithms=[algorithm], strict_check_header=False)
        return jwt.encode(head, claims, key, registry=registry).encode()

    def token(self, *, key: Key | None = None, header: dict | None = None, **more):
        """Sign a good access token but for the claims in *more*."""
        return self.sign(self.claims(**more), key=key, **(header or {}))

    async def __call__(self, path: str, scope, receive, send) -> None:
        raw = await _read(receive)
        self.raw = raw
        form = {} if raw.startswith(b"{") else parse_qs(raw.decode())
        headers = {k.decode(): v.decode() for k, v in scope["headers"]}
        self.asked.append((path, headers, form))
        await asyncio.sleep(self.delay)
        if path.endswith("/elsewhere"):
            await answer(send, 200, self.jwks | self.metadata | {"active": True})
        elif self.fault == "redirect":
            place = f"{self.issuer}/elsewhere"
            await answer(send, 302, b"", {"location": place})
        elif self.fault is not None:
            await _misbehave(self.fault, send)
        elif self.body is not None:
            await answer(send, 200, self.body)
        elif path.endswith("/jwks"):
            await answer(send, 200, self.jwks, self.jwks_headers)
        elif path.endswith("/introspect"):
            said = self.tokens.get(form.get("token", [""])[0], {"active": False})
            await answer(send, 200, said)
        elif path.endswith(("/register", "/authorize", "/token")):
            await self.authorization(path, scope, form, send)
        elif "/.well-known/" in path and self.metadata:
            await answer(send, 200, self.metadata)
        else:
            await answer(send, 404, b"nothing here")


class Provider:
    """All the realms, on one socket."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.realms: dict[str, Realm] = {}

    def realm(self) -> Realm:
        name = f"realm{next(_numbers)}"
        made = self.realms[name] = Realm(self.base, name)
        return made

    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] == "lifespan":
            return

        # RFC 8414 inserts its path before the realm's, so the name may come last.
        for part in scope["path"].split("/"):
            if part in self.realms:
                await self.realms[part](scope["path"], scope, receive, send)
                return

        await answer(send, 404, b"no such realm")


@cache
def provider() -> Provider:
    """Start the one provider of this run; it ends with the process."""
    listener = socket.create_server(("127.0.0.1", 0))
    made = Provider(f"http://127.0.0.1:{listener.getsockname()[1]}")
    config = uvicorn.Config(made, lifespan="off", log_level="critical")
    server = uvicorn.Server(config)
    server.capture_signals = contextlib.nullcontext
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    return made


async def _read(receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return body


async def answer(send, status: int, content, more: dict | None = None) -> None:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    headers = {"content-type": "application/json", **(more or {})}
    raw = [(k.encode(), v.encode()) for k, v in headers.items()]
    raw.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})


async def _misbehave(fault: str, send) -> None:
    if fault == "slow":
        await asyncio.sleep(30)
    elif fault == "drip":
        await _stream(send, b" ", pause=0.05, times=600)
    elif fault == "endless":
        await _stream(send, b" " * 65536, pause=0.0, times=1600)
    elif fault == "huge":
        await answer(send, 200, b" " * 100_000_000)
    elif fault == "bomb":
        bomb = gzip.compress(b" " * 50_000_000)
        await answer(send, 200, bomb, {"content-encoding": "gzip"})
    elif fault == "html":
        await answer(send, 200, b"<html>Sorry</html>", {"content-type": "text/html"})
    else:
        await answer(send, int(fault), b'{"keys": []}')


async def _stream(send, piece: bytes, *, pause: float, times: int) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(times):
        await send({"type": "http.response.body", "body": piece, "more_body": True})
        await asyncio.sleep(pause)
    await send({"type": "http.response.body", "body": b""})
