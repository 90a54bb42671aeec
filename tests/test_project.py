"""What stands around the package: its metadata, the forge's files, the lock of CI."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PROJECT, GROUPS = SETTINGS["project"], SETTINGS["dependency-groups"]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
LOCK = (ROOT / ".ci" / "constraints.txt").read_text("utf-8")


def names_of(requirements):
    return {Requirement(text).name.lower() for text in requirements}


def test_the_package_says_where_it_is_at_home():
    assert {"Documentation", "Source", "Changelog", "Issues"} <= set(PROJECT["urls"])


def test_what_users_install_holds_no_tools_of_ours():
    extras = PROJECT["optional-dependencies"]
    tools = {"pytest", "sphinx", "ruff", "mypy", "matplotlib"}
    for extra in extras.keys() - {"dev"}:  # It must stay: the README's command.
        assert not names_of(extras[extra]) & tools, extra
    assert "bench" not in extras


def test_a_group_asks_for_nothing_that_the_tests_do_without():
    tested = PROJECT["optional-dependencies"]["dev"]
    assert names_of(GROUPS["docs"]) <= names_of(tested)
    assert GROUPS["dev"] == ["asgi-auth[dev]"]


def test_every_line_of_the_lock_pins_one_version():
    lines = [line for line in LOCK.splitlines() if not line.startswith("#")]
    assert len(lines) > 200
    for line in lines:
        requirement = Requirement(line)
        assert re.fullmatch(r"==[\w.!+]+", str(requirement.specifier)), line
        assert not requirement.extras, f"{line}: a constraint has no extras"


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_by_commit_with_their_version(workflow):
    used = re.findall(r"uses: (.*)", workflow.read_text("utf-8"))
    assert used
    for action in used:
        assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action), action


def test_an_action_is_pinned_to_one_commit_everywhere():
    text = "\n".join(path.read_text("utf-8") for path in WORKFLOWS)
    pins = set(re.findall(r"uses: ([\w/-]+)@([0-9a-f]{40} # v[\d.]+)", text))
    assert len(pins) == len({action for action, _ in pins}), pins


def test_ci_runs_every_python_that_the_package_names():
    named = {
        line.rpartition(" ")[2]
        for line in PROJECT["classifiers"]
        if re.search(r":: 3\.\d+$", line)
    }
    (matrix,) = re.findall(
        r"python-version: \[(.+)\]", (WORKFLOWS[0].parent / "ci.yml").read_text("utf-8")
    )
    assert named == set(re.findall(r"[\d.]+", matrix))
    assert PROJECT["requires-python"] == f">={min(named, key=lambda v: int(v[2:]))}"


def test_the_lowest_versions_are_tested_with_folders_that_exist():
    script = (ROOT / ".ci" / "run").read_text("utf-8")
    (lines,) = re.findall(r"^lowest=\((.*?)^\)", script, re.DOTALL | re.MULTILINE)
    printed = subprocess.run(
        ["bash", "-c", f"printf '%s\\n' {' '.join(lines.split())}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout.split()
    paths = [line.removeprefix("--ignore=") for line in printed]
    assert len(paths) > 20
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_zizmor_finds_nothing_in_the_workflows():
    command = Path(sys.executable).with_name("zizmor")
    assert command.exists(), "zizmor is missing: install the dev extra"
    run = subprocess.run(
        [str(command), "--offline", "--quiet", "--no-progress", ".github"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_the_installed_command_is_that_of_the_metadata():
    scripts = metadata.entry_points(group="console_scripts", name="asgi-auth")
    assert {script.value for script in scripts} == set(PROJECT["scripts"].values())
