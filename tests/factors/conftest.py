from __future__ import annotations

import pytest

from tests.postgres import postgres


@pytest.fixture(scope="session")
def postgres_url():
    """A PostgreSQL server of its own, in a new folder."""
    with postgres() as url:
        yield url
