"""The rest of an authorization server: register, authorize, token, with PKCE.

Whoever asks is logged in as ``ada`` and agrees to everything.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from urllib.parse import parse_qs, urlencode

from tests.idp.issuer import Realm, answer


class Authorization:
    """Hands out tokens of a realm to clients that register by themselves."""

    def __init__(self, realm: Realm, *, scopes: str | None = None) -> None:
        self.realm = realm
        self.scopes = scopes
        self.codes: dict[str, dict] = {}
        self.granted: list[dict] = []
        realm.authorization = self
        realm.metadata |= {
            "registration_endpoint": f"{realm.issuer}/register",
            "authorization_endpoint": f"{realm.issuer}/authorize",
            "token_endpoint": f"{realm.issuer}/token",
            "response_types_supported": ["code"],
            "grant_types_supported": ["authorization_code"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["none"],
        }

    async def __call__(self, path, scope, form, send) -> None:
        if path.endswith("/register"):
            asked = json.loads(self.realm.raw)
            made = {"client_id": secrets.token_hex(8), **asked}
            await answer(send, 201, {**made, "token_endpoint_auth_method": "none"})
        elif path.endswith("/authorize"):
            query = scope["query_string"].decode()
            asked = {name: value for name, (value, *_) in parse_qs(query).items()}
            code = secrets.token_hex(16)
            self.codes[code] = asked
            back = urlencode({"code": code, "state": asked["state"]})
            place = f"{asked['redirect_uri']}?{back}"
            await answer(send, 302, b"", {"location": place})
        else:
            await self._token(form, send)

    async def _token(self, form, send) -> None:
        asked = self.codes.pop(form["code"][0])
        digest = hashlib.sha256(form["code_verifier"][0].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        assert challenge == asked["code_challenge"]
        # RFC 8707: the token is for the resource that was named, and for no other.
        scope = asked.get("scope", "") if self.scopes is None else self.scopes
        token = self.realm.token(
            aud=form["resource"][0], scope=scope, client_id=form["client_id"][0]
        )
        self.granted.append({"scope": scope, "resource": form["resource"][0]})
        said = {"access_token": token.decode(), "token_type": "Bearer"}
        await answer(send, 200, {**said, "expires_in": 600, "scope": scope})
