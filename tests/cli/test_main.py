from __future__ import annotations

import subprocess
import sys
from importlib import metadata

import pytest

from asgi_auth.cli.main import main


def test_the_version_is_that_of_the_package(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["--version"])

    assert stopped.value.code == 0
    assert capsys.readouterr().out == f"asgi-auth {metadata.version('asgi-auth')}\n"


@pytest.mark.parametrize(
    "words",
    [
        ["demo"],
        ["keygen"],
        ["token", "issue"],
        ["token", "inspect"],
        ["token", "verify"],
        ["hash"],
        ["sessions", "list"],
        ["sessions", "revoke"],
        ["doctor"],
    ],
    ids=" ".join,
)
def test_every_command_has_help_with_an_example(capsys, words):
    with pytest.raises(SystemExit) as stopped:
        main([*words, "--help"])

    said = capsys.readouterr().out
    assert stopped.value.code == 0
    assert "example" in said
    assert f"asgi-auth {' '.join(words)}" in said
    assert ("--json" in said) is (words != ["demo"])


def test_both_names_of_the_command_are_there():
    done = subprocess.run(
        [sys.executable, "-m", "asgi_auth", "keygen"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    scripts = metadata.entry_points(group="console_scripts", name="asgi-auth")

    assert len(done.stdout) == 87
    assert [script.load() for script in scripts] == [main]
