"""Find the caller's credential among the cookies of a request (RFC 6265, section 5.4).

It verifies nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import islice

from asgi_auth._asgi import Headers
from asgi_auth.credentials.credential import AMBIGUOUS, Credential, checked, malformed
from asgi_auth.credentials.sources import unquote

__all__ = ["from_cookies"]


def from_cookies(
    headers: Headers, sources: Iterable[tuple[str, re.Pattern[bytes]]]
) -> Credential | None:
    """Return the credential in the first cookie that is there, or ``None``.

    Args:
        headers: Of the request.
        sources: The names of cookies, and what finds them.
    """
    # HTTP/2 may split cookies over fields (RFC 9113, section 8.2.3).
    cookies = b"; ".join([v for name, v in headers if name.lower() == b"cookie"])
    for name, pattern in sources:
        matches = pattern.finditer(cookies)
        texts = filter(None, (unquote(match[1]) for match in matches))
        values = [*islice(texts, AMBIGUOUS)]
        if len(values) > 1:
            return malformed("cookie", "two cookies of one name", explicit=False)

        if values:
            credential = Credential(values[0], "cookie", explicit=False, name=name)
            return checked(credential)

    return None
