"""What is imported by which name, and what is said where a library is missing."""

from __future__ import annotations

import subprocess
import sys

import pytest

ABSENT = """
import sys
sys.modules[{name!r}] = None
import asgi_auth.client
from asgi_auth.errors import MissingExtraError
try:
    import asgi_auth.client.{name}
except MissingExtraError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("httpx2", 'python -m pip install "asgi-auth[http]"'),
        ("httpx", "python -m pip install httpx"),
    ],
)
def test_a_missing_library_is_told_with_the_command(name, command):
    run = subprocess.run(
        [sys.executable, "-c", ABSENT.format(name=name)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.strip() == f"asgi_auth.client.{name} needs {name}: {command}"


def test_one_library_does_not_bring_the_other():
    code = (
        "import sys; sys.modules['httpx2'] = None; import asgi_auth.client.httpx;"
        "assert 'asgi_auth.client.httpx2' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
