"""Fixtures that the tests of this folder share."""

from __future__ import annotations

import pytest

from asgi_auth import (
    MemoryStore,
    TokenService,
)
from asgi_auth.testing import FakeClock
from tests.sessions.service_world import KEYS


class Recorder:
    def __init__(self):
        self.events = []

    async def __call__(self, event):
        self.events.append(event)

    def names(self):
        return [event.name for event in self.events]


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def heard():
    return Recorder()


@pytest.fixture
def make(clock, heard):
    store = MemoryStore(clock=clock)

    def make(keys=KEYS, **options):
        options = {
            "issuer": "https://api.example",
            "audience": "api",
            "store": store,
            "clock": clock,
            "on_event": heard,
            **options,
        }
        return TokenService(keys, **options)

    return make


@pytest.fixture
def service(make):
    return make()
