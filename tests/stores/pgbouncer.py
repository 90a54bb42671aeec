"""PgBouncer in transaction mode, for tests: started on a free port, and not as root."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.postgres import socket_of

CONFIG = """\
[databases]
* = host={host} port={server_port} user=postgres

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 3
server_connect_timeout = 1
query_wait_timeout = 2
"""


def find_pgbouncer() -> str:
    """Return the path of the program; without it a test is skipped, or fails in CI."""
    path = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    if path is None:
        reason = "pgbouncer is not installed: apt-get install pgbouncer"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return path


@contextmanager
def pgbouncer(postgres_url):
    """Run one in front of a server that listens on a Unix socket; yield its port."""
    program = find_pgbouncer()
    listening = socket_of(postgres_url)
    port = free_port()
    folder = Path(tempfile.mkdtemp(prefix="pgbouncer"))
    folder.chmod(0o755)
    settings = folder / "pgbouncer.ini"
    server_port = listening.name.rpartition(".")[2]
    settings.write_text(
        CONFIG.format(host=listening.parent, server_port=server_port, port=port)
    )
    # As who runs the server, who may open its socket. It refuses to run as root.
    owner = pwd.getpwuid(listening.stat().st_uid)
    options = {"user": owner.pw_uid, "extra_groups": []} if os.getuid() == 0 else {}
    process = subprocess.Popen(
        [program, "--quiet", settings], stderr=subprocess.DEVNULL, **options
    )
    try:
        _wait_for(port)
        yield port
    finally:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        process.wait(10)
        shutil.rmtree(folder)


def _wait_for(port):
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    pytest.fail("pgbouncer did not start")
