"""Make the client secret of Apple, which is a token that is signed for each call.

It sends nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from asgi_auth._clock import Clock, system_clock
from asgi_auth.errors import ConfigurationError
from asgi_auth.keys import Key, KeySet
from asgi_auth.tokens.codec import Codec

__all__ = ["apple_secret"]

_APPLE = "https://appleid.apple.com"
_LIFETIME = 300


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
