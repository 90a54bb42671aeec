"""How tokens travel: the words for it."""

from __future__ import annotations

from typing import Literal

from asgi_auth.errors import ConfigurationError
from asgi_auth.routes.cookies import Cookies

__all__ = ["Delivery", "Medium", "cookies_of"]

Delivery = Literal["body", "cookie", "both"]
"""What the routes can do."""

Medium = Literal["body", "cookie"]
"""What one answer does."""


def cookies_of(delivery: Delivery | Cookies) -> Cookies | None:
    """Return the cookies that tokens travel in, or ``None``: in bodies only.

    Raises:
        ConfigurationError: It is another word.
    """
    if delivery == "body":
        return None

    if isinstance(delivery, Cookies):
        return delivery

    if delivery not in ("cookie", "both"):
        msg = "delivery must be body, cookie, both, or Cookies(...)."
        raise ConfigurationError(msg)

    return Cookies(in_body=delivery == "both")
