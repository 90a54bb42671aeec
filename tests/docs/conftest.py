"""What the pages take for granted of the project they are read in."""

from __future__ import annotations

import os

# A page says "mysite.settings"; these stand for it.
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.websocket.django_settings")
