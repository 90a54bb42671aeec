"""As little Django as its channels need."""

from __future__ import annotations

SECRET_KEY = "of the tests"
INSTALLED_APPS: list[str] = []
USE_TZ = True
