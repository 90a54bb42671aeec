"""What the tests of the token service share."""

from __future__ import annotations

import jwt

from asgi_auth import (
    KeySet,
)

DAY = 86400
KEYS = KeySet.generate("ES256")
OTHER_KEYS = KeySet.generate("ES256")


def unverified(token):
    return jwt.decode(token, options={"verify_signature": False})
