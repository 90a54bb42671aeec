"""A file of a tutorial that is shown in one piece is the one that its blocks make."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path

import pytest

from tests.docs.pasting import TUTORIAL, files_of

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def whole():
    spec = importlib.util.spec_from_file_location("whole", DOCS / "whole.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", ["api-with-login", "protect-an-app", "chat"])
def test_the_last_whole_file_is_what_was_pasted(whole, page):
    text = (TUTORIAL / f"{page}.md").read_text("utf-8")
    ends = {match["file"]: match.start() for match in whole.WHOLE.finditer(text)}
    files = files_of(f"{page}.md")
    assert ends
    for name, end in ends.items():
        assert whole.file_of(text[:end], name).split() == files[name].split()


@pytest.mark.parametrize("page", ["api-with-login", "protect-an-app", "chat"])
def test_a_file_is_shown_as_it_is_by_then(whole, page):
    text = (TUTORIAL / f"{page}.md").read_text("utf-8")
    source = [text]
    whole.write_wholes(None, page, source)
    shown = [
        f"::::{{dropdown}} `{match['file']}` so far\n"
        f"```python\n{whole.file_of(text[: match.start()], match['file'])}```\n"
        for match in whole.WHOLE.finditer(text)
    ]
    assert len({*shown}) == len(shown), "two of them are the same"
    positions = [source[0].index(each) for each in shown]
    assert positions == sorted(positions)
    for each in shown:
        ast.parse(each.split("```python\n")[1].removesuffix("```\n"))
