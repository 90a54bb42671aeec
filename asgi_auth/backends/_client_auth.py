"""Say who this service is to the issuer that it asks (RFC 6749, section 2.3.1).

It sends nothing.
"""

from __future__ import annotations

from base64 import b64encode
from typing import Literal
from urllib.parse import quote_plus

from asgi_auth.errors import ConfigurationError

__all__ = ["client_auth"]

_FORM = "application/x-www-form-urlencoded"


def client_auth(
    client_id: str, secret: str, how: Literal["basic", "post"]
) -> tuple[dict[str, str], dict[str, str]]:
    """Return the header fields and the form members that say who asks.

    Raises:
        ConfigurationError: One is missing, or *how* is another word.
    """
    headers = {"accept": "application/json", "content-type": _FORM}
    if not client_id or not secret or how not in {"basic", "post"}:
        msg = "IntrospectionBackend needs client_id, client_secret, and basic or post."
        raise ConfigurationError(msg)

    if how == "post":
        return headers, {"client_id": client_id, "client_secret": secret}

    # RFC 6749, section 2.3.1: encoded as in a form, before it is joined.
    pair = f"{quote_plus(client_id)}:{quote_plus(secret)}".encode("ascii")
    return {**headers, "authorization": f"Basic {b64encode(pair).decode()}"}, {}
