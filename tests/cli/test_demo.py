from __future__ import annotations

import socket
import subprocess
import sys

import pytest

from asgi_auth.cli.demo.step import Answer
from asgi_auth.cli.main import main


@pytest.fixture(scope="module")
def walk():
    """One walk in a process of its own, which has ended."""
    command = [sys.executable, "-m", "asgi_auth", "demo"]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False
    )


def test_the_walk_ends_with_a_summary_and_status_0(walk):
    *steps, _, summary = walk.stdout.splitlines()[2:]
    assert walk.returncode == 0, walk.stdout + walk.stderr
    assert len(steps) >= 17
    assert all(line.startswith("ok ") for line in steps)
    assert summary == f"{len(steps)} of {len(steps)} steps as expected."
    assert walk.stderr == ""


def test_the_walk_prints_no_token(walk):
    assert "eyJ" not in walk.stdout


def test_a_step_that_is_not_as_expected_fails_the_walk(monkeypatch, capsys):
    monkeypatch.setattr(Answer, "fits", lambda self, expected: expected.status == 200)

    assert main(["demo"]) == 1
    assert "FAIL" in capsys.readouterr().out


def test_a_taken_port_is_a_sentence_and_status_2(capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        assert main(["demo", "--port", str(port)]) == 2

    assert "cannot be listened on" in capsys.readouterr().err


def test_a_wrong_call_is_status_2():
    with pytest.raises(SystemExit) as stopped:
        main(["no-such-command"])

    assert stopped.value.code == 2


@pytest.mark.parametrize(
    ("answer", "expected", "fits"),
    [
        (Answer(200, "ada"), Answer(200, "ada"), True),
        (Answer(200, "bob"), Answer(200, "ada"), False),
        (Answer(401, "", "Bearer x"), Answer(401, "", "Bearer"), True),
        (Answer(401, "", "Bearer x"), Answer(401), False),
        (Answer(401), Answer(401, "", "Bearer"), False),
    ],
)
def test_an_answer_fits_only_with_status_caller_and_challenge(answer, expected, fits):
    assert answer.fits(expected) is fits


def test_the_server_is_gone_after_the_walk(walk):
    origin = walk.stdout.split("http://")[1].split(";")[0]
    host, port = origin.split(":")
    with pytest.raises(OSError, match="refused"):
        socket.create_connection((host, int(port)), timeout=1)
