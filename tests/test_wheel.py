"""What is built holds the package, whole, and nothing else."""

from __future__ import annotations

import email
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "asgi_auth"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    build = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert build.returncode == 0, build.stdout + build.stderr
    (path,) = folder.glob("*.whl")
    return zipfile.ZipFile(path)


def metadata_of(wheel):
    name = next(name for name in wheel.namelist() if name.endswith("/METADATA"))
    return email.message_from_bytes(wheel.read(name))


def test_every_file_of_the_package_is_in_it(wheel):
    there = {
        path.relative_to(ROOT).as_posix()
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    built = {name for name in wheel.namelist() if ".dist-info/" not in name}

    assert built == there
    assert any(name.endswith(".lua") for name in built)
    assert "asgi_auth/client/browser/client.js" in built
    assert "asgi_auth/py.typed" in built


def test_its_metadata_has_the_licence_the_readme_and_addresses(wheel):
    metadata = metadata_of(wheel)

    assert metadata["License-Expression"] == "MIT"
    assert metadata["License-File"] == "LICENSE"
    assert len(metadata.get_all("Project-URL")) >= 4
    assert "asgi_auth" in metadata.get_payload()


def test_no_tool_for_benchmarks_is_published(wheel):
    requirements = metadata_of(wheel).get_all("Requires-Dist")
    assert not any("matplotlib" in text for text in requirements)


def test_it_works_from_where_it_is_unpacked(wheel, tmp_path):
    wheel.extractall(tmp_path)
    done = subprocess.run(
        [sys.executable, "-P", "-c", PROGRAM],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.stderr == ""
    assert done.stdout.split() == [str(tmp_path / "asgi_auth" / "__init__.py"), "42"]


PROGRAM = """
import asyncio, secrets
import asgi_auth

async def main():
    keys = asgi_auth.KeySet.from_secret(secrets.token_bytes(32))
    tokens = asgi_auth.TokenService(keys)
    pair = await tokens.issue("42")
    return (await tokens.verify(pair.access_token))["sub"]

print(asgi_auth.__file__, asyncio.run(main()))
"""
