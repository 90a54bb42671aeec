from __future__ import annotations

import sys
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_auth import ConfigurationError
from asgi_auth.dpop.target import Target, normal_url
from tests.asgi import http_scope


@pytest.mark.parametrize(
    ("url", "normal"),
    [
        ("https://api.example/a", "https://api.example/a"),
        ("HTTPS://API.Example/a", "https://api.example/a"),
        ("https://api.example:443/a", "https://api.example/a"),
        ("https://api.example:/a", "https://api.example/a"),
        ("https://api.example:00443/a", "https://api.example/a"),
        ("http://api.example:80/a", "http://api.example/a"),
        ("https://api.example:80/a", "https://api.example:80/a"),
        ("https://api.example", "https://api.example/"),
        ("https://api.example?a=b", "https://api.example/"),
        ("https://api.example/a?b=c/d#e", "https://api.example/a"),
        ("https://api.example/%7euser/%2f%3A", "https://api.example/~user/%2F%3A"),
        ("https://api.example/a/./b/../c", "https://api.example/a/c"),
        ("https://api.example/a/%2e%2E/b", "https://api.example/b"),
        ("https://api.example/../../a", "https://api.example/a"),
        ("https://api.example/a/..", "https://api.example/"),
        ("https://api.example/a//b", "https://api.example/a//b"),
        ("https://[2001:DB8::1]:8443/", "https://[2001:db8::1]:8443/"),
        ("wss://api.example:443/ws", "https://api.example/ws"),
    ],
)
def test_a_url_has_one_normal_form(url, normal):
    assert normal_url(url) == normal
    assert normal_url(normal) == normal


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/a",
        "//api.example/a",
        "ftp://api.example/a",
        "https:/api.example/a",
        "https://user@api.example/a",
        "https://api.example@evil.example/a",
        "https://api.example\\@evil.example/a",
        "https://api.example/a\\b",
        "https://api.example/a b",
        "https://api.example/a\n",
        "https://api.example/ä",
        "https://bücher.example/",
        "https://api.example:x/",
        "https://api.example:123456/",
        "https://api.example/%zz",
        "https://api.example/%4",
        "https://",
        "https://[::1/",
        "https://api.example/" + "a" * 5000,
    ],
)
def test_what_is_no_plain_url_has_none(url):
    with pytest.raises(ValueError, match=r"URL|percent"):
        normal_url(url)


@given(st.text(max_size=80) | st.text("https:/?#@[]%2e.", max_size=40))
def test_any_text_has_a_normal_form_or_none(text):
    for url in (text, f"https://api.example/{text}"):
        try:
            normal = normal_url(url)
        except ValueError:
            continue

        assert normal_url(normal) == normal
        assert "?" not in normal
        assert "#" not in normal


@pytest.mark.parametrize(
    ("public", "path", "url"),
    [
        ("https://api.example", "/a", "https://api.example/a"),
        ("https://api.example/", "/a", "https://API.example:443/a?x=y"),
        ("https://api.example:8443", "/a", "https://api.example:8443/a"),
        ("http://127.0.0.1:8000", "/a", "http://127.0.0.1:8000/a"),
    ],
)
def test_a_request_has_the_public_url_and_its_path(public, path, url):
    assert Target(public).is_meant_by(url, http_scope(path))


@pytest.mark.parametrize(
    ("path", "root", "url"),
    [
        # A proxy takes "/v1" away.
        ("/a", "", "https://api.example/v1/a"),
        ("/a", "/v1", "https://api.example/v1/a"),
        ("/a", "/mount", "https://api.example/v1/a"),
        ("/v1/a", "", "https://api.example/v1/v1/a"),
        ("/v12/a", "/v1", "https://api.example/v1/v12/a"),
        ("/v1/a", "/v12", "https://api.example/v1/v1/a"),
        # The server has put it back.
        ("/v1/a", "/v1", "https://api.example/v1/a"),
        ("/v1/a", "/v1/", "https://api.example/v1/a"),
        ("/v1/m/a", "/v1/m", "https://api.example/v1/m/a"),
        ("/v1/v1/a", "/v1", "https://api.example/v1/v1/a"),
        ("/v1", "/v1", "https://api.example/v1"),
    ],
)
def test_a_proof_is_for_one_path_where_the_public_url_has_one(
    path, root, url, monkeypatch
):
    monkeypatch.delitem(sys.modules, "daphne.server", raising=False)
    target = Target("https://api.example/v1/")
    for other in ("/a", "/v1/a", "/v1/v1/a", "/v1/m/a", "/v1/v12/a", "/v1", "/m/a"):
        is_meant = f"https://api.example{other}" == url
        scope = http_scope(path, root_path=root)
        assert target.is_meant_by(f"https://api.example{other}", scope) is is_meant


def test_a_root_that_the_client_names_moves_no_proof(monkeypatch):
    """Daphne takes ``root_path`` from a header."""
    monkeypatch.setitem(sys.modules, "daphne.server", ModuleType("daphne.server"))
    target = Target("https://api.example/v1")
    for path, root in [("/v1/a", "/v1"), ("/b", "/v1/a"), ("/", "/v1/a"), ("", "/a")]:
        scope = http_scope(path, root_path=root)
        assert not target.is_meant_by("https://api.example/v1/a", scope)
    scope = http_scope("/a", root_path="/v1")
    assert target.is_meant_by("https://api.example/v1/a", scope)


@pytest.mark.parametrize(
    "url",
    [
        "http://api.example/a",
        "https://api.example.evil.example/a",
        "https://evil.example/a",
        "https://api.example:444/a",
        "https://api.example/A",
        "https://api.example/a/",
        "https://api.example/a%2F",
        "https://api.example//a",
        "https://api.example/",
        "a",
    ],
)
def test_another_url_is_another(url):
    host = [(b"host", b"evil.example"), (b"x-forwarded-host", b"evil.example")]
    scope = http_scope("/a", headers=host, root_path="/evil")
    assert not Target("https://api.example").is_meant_by(url, scope)


def test_the_path_is_that_of_the_wire_where_the_server_tells_it():
    target = Target("https://api.example")
    scope = http_scope("/a/b", raw_path=b"/a%2Fb?token=1")
    assert target.is_meant_by("https://api.example/a%2fb", scope)
    assert not target.is_meant_by("https://api.example/a/b", scope)

    plain = http_scope("/ä b", raw_path=None)
    assert target.is_meant_by("https://api.example/%c3%a4%20b", plain)
    del plain["raw_path"]
    assert target.is_meant_by("https://api.example/%C3%A4%20b", plain)
    odd = http_scope("/a", raw_path=b"/a\xff")
    assert not target.is_meant_by("https://api.example/a", odd)


@pytest.mark.parametrize("url", ["http://api.example", "api.example", "https://"])
def test_an_unsafe_public_url_is_refused(url):
    with pytest.raises(ConfigurationError):
        Target(url)
