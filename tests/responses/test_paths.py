"""Which texts are paths of the own site: every trick that ever led elsewhere."""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_auth.responses import safe_path


@pytest.mark.parametrize(
    "text",
    [
        "/",
        "/notes",
        "/notes/",
        "/a/b?x=1&y=%2F%2F",
        "/?u=https://x.example",
        "/%C3%A4",
        "/a?//b",
    ],
)
def test_a_path_is_one(text):
    assert safe_path(text) == text


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "notes",
        "?x",
        "#x",
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "\t//evil.example",
        " /x",
        "https://evil.example",
        "https:evil.example",
        "HTTPS://evil.example",
        "javascript:alert(1)",
        "data:text/html,x",
        "/%2Fevil.example",
        "/%5Cevil.example",
        "/%252Fevil.example",
        "/a//evil.example",
        "/./x",
        "/../x",
        "/a/..",
        "/.//evil.example",
        "/%2e%2e//evil.example",
        "/x\x00",
        "/x%00",
        "/x%0d%0aset-cookie:a",
        "/x\r\nset-cookie: a=b",
        "/x y",
        "/x#y",
        "/ä",
        "/\u2215evil.example",
        "/\u3002",
        "/x\x7f",
        "/" + "x" * 2000,
        "//user@evil.example",
        "/%09/evil.example",
    ],
)
def test_everything_else_is_none(text):
    assert safe_path(text) is None


@given(st.text(alphabet=st.sampled_from("/\\.%25fFcC?#:@ae\t\n"), max_size=12))
def test_no_path_leads_a_browser_elsewhere(text):
    if safe_path(text) is not None:
        url = urlsplit(urljoin("https://own.example/auth/log-in", text))
        assert (url.scheme, url.netloc) == ("https", "own.example")
