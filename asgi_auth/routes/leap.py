"""A page that leads on, for browsers that come from another site.

A redirect would not do: with it the browser is still on its way from there, and keeps
cookies with ``SameSite=Strict`` to itself (RFC 6265bis, section 5.2.1). From a page of
our own it sends them. There is no script in it, and nothing of another site.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Final

from starlette.responses import Response

__all__ = ["leap"]

_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="refresh" content="0;url={url}"><title>…</title></head>
<body><p><a href="{url}">→</a></p></body></html>
"""
_HEADERS: Final = {
    "cache-control": "no-store",
    # The address has the code: no other site must see it.
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
}


def leap(url: str, fields: Iterable[tuple[bytes, bytes]] = ()) -> Response:
    """Return the page.

    Args:
        url: A path of the own site, see ``check_target``; or where a provider is.
        fields: Header fields of another answer, of which the cookies are set.
    """
    html = _PAGE.format(url=escape(url))
    response = Response(html, headers=_HEADERS, media_type="text/html")
    cookies = (field for field in fields if field[0].lower() == b"set-cookie")
    response.raw_headers.extend(cookies)
    return response
