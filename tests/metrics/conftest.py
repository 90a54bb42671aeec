"""Calls are seen by the watchers of one test alone."""

from __future__ import annotations

import pytest

from asgi_auth._drivers import calls


@pytest.fixture(autouse=True)
def no_other_watchers(monkeypatch):
    """Leave out those that earlier tests of this process have left."""
    monkeypatch.setattr(calls, "_watchers", [])
