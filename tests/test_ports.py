from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests import ports
from tests.ports import free_port

ROOT = Path(__file__).parent.parent
ASK = """
from tests.ports import free_port
print(*(free_port() for _ in range(300)), flush=True)
input()
"""


def test_two_processes_are_never_given_the_same_port():
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", ASK],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    given = [port for each in processes for port in each.stdout.readline().split()]
    for process in processes:
        process.communicate("\n", timeout=20)

    assert len(set(given)) == len(given) == 900


def test_no_connection_is_made_from_such_a_port():
    with socket.socket() as connecting:
        connecting.bind(("127.0.0.1", 0))
        assert free_port() < connecting.getsockname()[1]


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_what_is_listened_on_is_not_given(monkeypatch, kind):
    with socket.socket(type=kind) as listening:
        listening.bind(("127.0.0.1", 0))
        taken, free = listening.getsockname()[1], free_port()
        others = range(free + 1, free + 4)
        monkeypatch.setattr(ports, "_range", lambda: [taken] * 50 + [*others])

        assert free_port() in others


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_what_is_given_can_be_listened_on(kind):
    with socket.socket(type=kind) as listening:
        listening.bind(("127.0.0.1", free_port()))
