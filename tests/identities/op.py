"""An OpenID provider in memory, which signs with joserfc and not with us.

It is asked through ``fetch``; the browser's part is :meth:`FakeOP.authorize`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from urllib.parse import parse_qsl, urlsplit

from joserfc import jwt
from joserfc.jws import JWSRegistry

from tests.idp.issuer import new_key, public

ISSUER = "https://op.example"
CLIENT = "our-client"
SECRET = "our-secret +/:"


class FakeOP:
    """One provider: what it says, what it was asked, and how it misbehaves."""

    def __init__(self, clock, issuer=ISSUER) -> None:
        self.clock = clock
        self.issuer = issuer
        self.key = new_key()
        self.keys = [public(self.key, alg="ES256")]
        self.metadata = {
            "issuer": issuer,
            "authorization_endpoint": f"{issuer}/authorize?theirs=1",
            "token_endpoint": f"{issuer}/token",
            "userinfo_endpoint": f"{issuer}/userinfo",
            "jwks_uri": f"{issuer}/jwks",
            "authorization_response_iss_parameter_supported": True,
        }
        self.user = {"sub": "248289761001", "name": "Ann Example"}
        self.email = {"email": "ann@example.com", "email_verified": True}
        self.userinfo: dict = {}
        self.claims: dict = {}
        self.header: dict = {}
        self.answer: dict = {}
        self.status = 200
        self.id_token: object = None
        self.down: set[str] = set()
        self.codes: dict[str, dict] = {}
        self.asked: list[str] = []
        self.requests: list[tuple[str, dict, dict]] = []

    def authorize(self, url: str, **more) -> dict[str, str]:
        """Log in and agree; return what the browser brings back."""
        parts = urlsplit(url)
        base = f"{parts.scheme}://{parts.netloc}{parts.path}"
        assert base == self.metadata["authorization_endpoint"].split("?")[0]
        query = dict(parse_qsl(parts.query, strict_parsing=True))
        assert query["response_type"] == "code"
        assert query["code_challenge_method"] == "S256"
        assert len(query["code_challenge"]) == 43
        code = secrets.token_urlsafe(8)
        self.codes[code] = query
        return {"code": code, "state": query["state"], "iss": self.issuer} | more

    def sign(self, claims, *, key=None, **header) -> str:
        key = key or self.key
        algorithm = header.pop("alg", "ES256")
        head = {"alg": algorithm, "kid": key.kid, "typ": "JWT", **header}
        head = {name: value for name, value in head.items() if value is not None}
        registry = JWSRegistry(algorithms=[algorithm], strict_check_header=False)
        return jwt.encode(head, claims, key, registry=registry)

    def good_claims(self, asked, access_token) -> dict:
        now = int(self.clock())
        digest = hashlib.sha256(access_token.encode()).digest()[:16]
        return {
            "iss": self.issuer,
            "aud": CLIENT,
            "iat": now,
            "exp": now + 300,
            "nonce": asked.get("nonce"),
            "at_hash": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            **self.user,
            **self.email,
        }

    async def fetch(self, url, headers, body):
        assert url.startswith(self.issuer)
        path = url.removeprefix(self.issuer)
        self.asked.append(path)
        if path in self.down or "*" in self.down:
            raise ConnectionRefusedError

        form = {} if body is None else dict(parse_qsl(body.decode()))
        self.requests.append((path, dict(headers), form))
        status, content = self._answer(path, headers, form)
        return (
            status,
            {"content-type": "application/json"},
            json.dumps(content).encode(),
        )

    def _answer(self, path, headers, form):
        if path == "/.well-known/openid-configuration":
            return 200, self.metadata
        if path == "/jwks":
            return 200, {"keys": self.keys}
        if path == "/userinfo":
            assert headers["authorization"].startswith("Bearer at-")
            return 200, {"sub": self.user["sub"], **self.userinfo}
        if path == "/token":
            return self._token(headers, form)
        return 404, {}

    def _token(self, headers, form):
        if self.status != 200:
            return self.status, self.answer
        asked = self.codes.pop(form["code"], None)
        if asked is None:
            return 400, {"error": "invalid_grant"}
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        assert challenge == asked["code_challenge"]
        assert form["redirect_uri"] == asked["redirect_uri"]
        assert form["grant_type"] == "authorization_code"
        token = f"at-{secrets.token_hex(4)}"
        claims = self.good_claims(asked, token) | self.claims
        claims = {name: value for name, value in claims.items() if value is not None}
        signed = self.sign(claims, **self.header)
        id_token = self.id_token(claims) if callable(self.id_token) else signed
        content = {
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": 3600,
            "refresh_token": f"rt-{secrets.token_hex(4)}",
            "id_token": id_token,
            **self.answer,
        }
        return 200, {n: v for n, v in content.items() if v is not None}
