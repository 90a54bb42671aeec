"""What the pages take for granted of the project they are read in."""

from __future__ import annotations

import os

# The tables import all there is: pytest is told of the contracts before that.
from asgi_auth.testing import StoreContract  # noqa: F401

# A page says "mysite.settings"; these stand for it.
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.websocket.django_settings")
