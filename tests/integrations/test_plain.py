"""Plain ASGI: the promises hold without any integration."""

from __future__ import annotations

import pytest

from tests.integrations.acceptance import AcceptanceSuite, Uninstalled, client_of
from tests.integrations.apps.plain import create_app


class TestPlain(AcceptanceSuite, Uninstalled):
    create_app = staticmethod(create_app)

    async def test_a_crash_is_no_refusal(self, app, services):
        async with client_of(app) as client:
            with pytest.raises(ValueError, match="a bug of the application"):
                await client.get("/crash", headers=services.caller())
