"""Falcon without an adapter: the middleware keeps the promises as well."""

from __future__ import annotations

import pytest

pytest.importorskip("falcon", reason="platform: there is no Falcon for this Python")

from tests.integrations.acceptance import AcceptanceSuite, OwnHandlers
from tests.integrations.apps.falcon import create_app


class TestFalcon(AcceptanceSuite, OwnHandlers):
    create_app = staticmethod(create_app)
