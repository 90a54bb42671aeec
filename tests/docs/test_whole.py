"""A file of a tutorial that is shown in one piece is the one that its blocks make."""

from __future__ import annotations

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
def test_the_whole_file_is_what_was_pasted(whole, page):
    text = (TUTORIAL / f"{page}.md").read_text("utf-8")
    names = [match["file"] for match in whole.WHOLE.finditer(text)]
    files = files_of(f"{page}.md")
    assert names
    for name in names:
        assert whole.file_of(text, name).split() == files[name].split()

    source = [text]
    whole.write_wholes(None, page, source)
    for name in names:
        assert f":::{{dropdown}} `{name}` in one piece\n```python\n" in source[0]
        assert whole.file_of(text, name) in source[0]
