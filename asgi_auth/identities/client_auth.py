"""Say who this application is to the token endpoint of a provider.

By a secret (RFC 6749, section 2.3.1), or by one that is made for each call, as Apple
has it. It sends nothing.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from typing import Literal
from urllib.parse import quote_plus

from asgi_auth._clock import Clock, system_clock
from asgi_auth.errors import ConfigurationError
from asgi_auth.keys import Key, KeySet
from asgi_auth.tokens.codec import Codec

__all__ = ["ClientAuth", "ClientSecret", "apple_secret"]

ClientSecret = str | Callable[[], str] | None
"""A secret, what makes one for each call, or ``None``: a public client."""

ClientAuth = Literal["basic", "post"]

_APPLE = "https://appleid.apple.com"
_LIFETIME = 300


def client_auth(
    client_id: str, secret: ClientSecret, how: ClientAuth
) -> tuple[dict[str, str], dict[str, str]]:
    """Return the header fields and the form members that say who asks.

    Args:
        client_id: Of the application.
        secret: Its secret.
        how: In a header or in the form.
    """
    text = secret() if callable(secret) else secret
    if text is None:
        return {}, {"client_id": client_id}

    if how == "post":
        return {}, {"client_id": client_id, "client_secret": text}

    # RFC 6749, section 2.3.1: encoded as in a form, before it is joined.
    pair = f"{quote_plus(client_id)}:{quote_plus(text)}".encode("ascii")
    return {"authorization": f"Basic {b64encode(pair).decode()}"}, {}


def apple_secret(
    client_id: str,
    team_id: str,
    key_id: str,
    private_key: str | bytes,
    clock: Clock = system_clock,
) -> Callable[[], str]:
    """Return what signs the client secret of Apple, anew for each call.

    Args:
        client_id: The Services ID.
        team_id: Of the developer account.
        key_id: Of the key for "Sign in with Apple".
        private_key: That key, as the ``.p8`` file has it.
        clock: Returns Unix seconds.

    Raises:
        ConfigurationError: It is no such key, or an id is missing.
    """
    if not team_id or not key_id:
        msg = "Apple needs team_id and key_id beside the private key."
        raise ConfigurationError(msg)

    codec = Codec(KeySet([Key.from_pem(private_key, algorithm="ES256", kid=key_id)]))

    def sign() -> str:
        now = int(clock())
        claims = {
            "iss": team_id,
            "iat": now,
            "exp": now + _LIFETIME,
            "aud": _APPLE,
            "sub": client_id,
        }
        return codec.encode(claims, typ="JWT")

    return sign
