"""The first tutorial does what it says: every command is pasted into a shell."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.docs.pasting import looks_like

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "tutorial" / "first-app.md"
BLOCK = re.compile(r"^```(sh|python|text)\n(.*?)^```", re.DOTALL | re.MULTILINE)
MARK = "--- end of block ---"


@dataclass(frozen=True)
class Block:
    kind: str
    source: str


def blocks():
    return [Block(*found.groups()) for found in BLOCK.finditer(PAGE.read_text("utf-8"))]


def run_in_one_shell(script, folder, port):
    """Run the commands as pasted, on a port of our own."""
    environ = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(folder),
    }
    text = script.replace("localhost:8000", f"127.0.0.1:{port}")
    with subprocess.Popen(
        ["bash", "-m"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=folder,
        env=environ,
        start_new_session=True,
    ) as shell:
        try:
            said, _ = shell.communicate(text.replace("8000", str(port)), timeout=50)
        finally:
            if shell.poll() is None:
                os.killpg(shell.pid, signal.SIGKILL)

    return said


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is missing")
def test_every_command_of_the_first_tutorial_prints_what_the_page_says(
    tmp_path, free_port
):
    install, *rest = blocks()
    assert "pip install" in install.source
    app = next(block.source for block in rest if block.kind == "python")
    (tmp_path / "app.py").write_text(app, "utf-8")

    script, expected = "", []
    for block in rest:
        if block.kind == "sh":
            script += f"{block.source}echo '{MARK}'\n"
            expected.append([])
        elif block.kind == "text":
            expected[-1] = block.source.splitlines()

    said = run_in_one_shell(script, tmp_path, free_port)
    parts = [part.strip("\n").splitlines() for part in said.split(f"{MARK}\n")[:-1]]
    assert len(parts) == len(expected), said
    for lines, wanted in zip(parts, expected, strict=True):
        # What the shell tells of its jobs is no output of a command.
        told = [
            line
            for line in lines
            if not re.match(r"\[\d+\]|bash: (no job|cannot set)", line)
        ]
        assert not wanted or looks_like(told, wanted), said


@pytest.mark.parametrize(
    ("said", "expected", "fits"),
    [
        (["abc"], ["abc"], True),
        (["abc"], ["a…"], True),
        (["abc"], ["abd"], False),
        (["abc", "d"], ["abc"], False),
        (["a.c"], ["abc"], False),
    ],
)
def test_what_is_said_is_compared_line_by_line(said, expected, fits):
    assert looks_like(said, expected) is fits
