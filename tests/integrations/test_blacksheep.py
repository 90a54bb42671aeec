"""BlackSheep without an adapter: the middleware keeps the promises as well."""

from __future__ import annotations

import pytest

pytest.importorskip(
    "blacksheep", reason="platform: there is no BlackSheep for this Python"
)

from tests.integrations.acceptance import AcceptanceSuite, OwnHandlers
from tests.integrations.apps.blacksheep import create_app


class TestBlackSheep(AcceptanceSuite, OwnHandlers):
    create_app = staticmethod(create_app)
