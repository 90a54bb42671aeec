"""The mounted application for servers that take no factory."""

from __future__ import annotations

from tests.servers.application import mounted

app = mounted()
