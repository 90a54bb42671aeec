from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_auth import ConfigurationError, CrossOriginError
from asgi_auth.credentials.csrf import CrossOriginCheck
from tests.asgi import http_scope, websocket_scope

CHECK = CrossOriginCheck(["https://app.example", "http://localhost:3000"])
FOREIGN = [b"https://evil.example", b"http://app.example.evil.example", b"null", b""]
UNSAFE = ["POST", "PUT", "PATCH", "DELETE", "CONNECT", "PROPFIND", "post", "get", ""]


def headers(origin=None, host=b"api.example", site=None):
    pairs = [(b"host", host), (b"origin", origin), (b"sec-fetch-site", site)]
    return [(name, value) for name, value in pairs if value is not None]


def passes(check=CHECK, method="POST", scheme="http", **more):
    return accepts(
        check, http_scope(method=method, headers=headers(**more), scheme=scheme)
    )


def socket_passes(check=CHECK, scheme="ws", **more):
    return accepts(check, websocket_scope(headers=headers(**more), scheme=scheme))


def accepts(check, scope):
    try:
        check.check(scope)
    except CrossOriginError:
        return False

    return True


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "TRACE"])
def test_what_changes_nothing_needs_no_origin(method):
    assert passes(method=method)
    assert passes(method=method, origin=b"https://evil.example", site=b"cross-site")


@pytest.mark.parametrize("method", UNSAFE)
@pytest.mark.parametrize("origin", FOREIGN)
def test_a_foreign_page_changes_nothing(method, origin):
    assert not passes(method=method, origin=origin)
    assert not passes(method=method, origin=origin, site=b"cross-site")


@pytest.mark.parametrize("method", UNSAFE)
def test_ones_own_page_and_no_browser_may_change_things(method):
    assert passes(method=method)
    assert passes(method=method, origin=b"http://api.example")
    assert passes(method=method, origin=b"http://api.example", site=b"same-origin")


@pytest.mark.parametrize("site", [b"same-origin", b"none", b" same-origin\t"])
def test_the_browser_says_that_the_page_is_our_own(site):
    assert passes(site=site)
    # Behind a proxy that changes the Host, this is what can be believed.
    assert passes(site=site, origin=b"https://public.example", host=b"10.0.0.1")


@pytest.mark.parametrize(
    "site",
    [b"same-site", b"cross-site", b"", b"Same-Origin", b"same-origin, none", b"x\xff"],
)
def test_whatever_else_the_browser_says_is_foreign(site):
    assert not passes(site=site)
    assert not passes(site=site, origin=b"http://api.example")


def test_a_browser_says_it_once():
    twice = [*headers(site=b"same-origin"), (b"Sec-Fetch-Site", b"cross-site")]
    assert not accepts(CHECK, http_scope(method="POST", headers=twice))


@pytest.mark.parametrize(
    "origin",
    [
        b"https://app.example",
        b"HTTPS://APP.example",
        b"https://app.example:443",
        b"http://localhost:3000",
    ],
)
@pytest.mark.parametrize("site", [None, b"cross-site", b"same-site"])
def test_a_trusted_page_may_change_things_wherever_it_is(origin, site):
    assert passes(origin=origin, site=site)
    assert socket_passes(origin=origin, site=site)


@pytest.mark.parametrize(
    "origin",
    [
        b"http://app.example",
        b"https://app.example:8443",
        b"https://app.example.",
        b"https://sub.app.example",
        b"https://app.example@evil.example",
        b"https://app.example/",
        b"https://app.example https://evil.example",
        b"https://app.example\x00",
        b"https://app.example\xff",
        b"ftp://app.example",
        b"app.example",
        b"://app.example",
        b"http://localhost",
        b"http://localhost:03000x",
    ],
)
def test_trust_is_for_exactly_that_origin(origin):
    assert not passes(origin=origin)
    assert not socket_passes(origin=origin)


def test_two_origins_are_none():
    for pair in (
        (b"https://app.example", b"https://evil.example"),
        (b"https://evil.example", b"https://app.example"),
    ):
        doubled = [(b"host", b"api.example"), *((b"origin", value) for value in pair)]
        assert not accepts(CHECK, http_scope(method="POST", headers=doubled))
        assert not accepts(CHECK, websocket_scope(headers=doubled))


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        (b"http://api.example", b"api.example"),
        (b"http://api.example", b"api.example:80"),
        (b"http://api.example:80", b"api.example"),
        (b"https://api.example", b"api.example"),
        (b"https://api.example", b"api.example:443"),
        (b"http://API.example", b"api.EXAMPLE"),
        (b"http://api.example:8000", b"api.example:8000"),
        (b"http://127.0.0.1:8000", b"127.0.0.1:8000"),
        (b"http://[::1]:8000", b"[::1]:8000"),
        (b"http://[::1]", b"[::1]"),
        (b"http://[::1]", b"[::1]:80"),
    ],
)
def test_an_origin_equal_to_the_host_is_our_own(origin, host):
    assert passes(origin=origin, host=host)
    assert socket_passes(origin=origin, host=host)


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        (b"http://api.example:8001", b"api.example:8000"),
        (b"http://api.example", b"api.example:8000"),
        (b"http://api.example:8000", b"api.example"),
        (b"http://evil.example", b"api.example"),
        (b"http://[::2]", b"[::1]"),
        (b"http://[::1", b"[::1"),
        (b"http://", b""),
        (b"http://api.example", b""),
        (b"http://api.example", None),
        (b"http://a:b:c", b"a:b:c"),
        (b"http://\xff", b"\xff"),
        (b"http://a b", b"a b"),
        (b"http://api.example:", b"api.example:"),
        (b"http://api.example:999999", b"api.example:999999"),
        (b"http://api.example/x", b"api.example/x"),
        (b"http://user@api.example", b"user@api.example"),
    ],
)
def test_anything_else_is_foreign(origin, host):
    assert not passes(origin=origin, host=host)
    assert not socket_passes(origin=origin, host=host)


def test_two_hosts_are_none():
    doubled = [(b"origin", b"http://a.example"), (b"host", b"a.example")] * 1
    doubled.append((b"Host", b"b.example"))
    assert not accepts(CHECK, http_scope(method="POST", headers=doubled))


@pytest.mark.parametrize("scheme", ["https", "wss"])
def test_a_page_without_encryption_is_foreign_to_one_with(scheme):
    assert not passes(scheme=scheme, origin=b"http://api.example")
    assert not socket_passes(scheme=scheme, origin=b"http://api.example")
    assert passes(scheme=scheme, origin=b"https://api.example")
    assert socket_passes(scheme=scheme, origin=b"https://api.example")


def test_behind_a_proxy_that_ends_encryption_the_page_has_it():
    assert passes(scheme="http", origin=b"https://api.example")
    assert socket_passes(scheme="ws", origin=b"https://api.example")


@pytest.mark.parametrize("site", [None, b"same-origin", b"none"])
def test_a_socket_must_say_where_it_comes_from(site):
    assert not socket_passes(site=site)
    for origin in FOREIGN:
        assert not socket_passes(origin=origin, site=site)
    assert socket_passes(origin=b"http://api.example", site=site)


def test_the_public_url_stands_in_for_the_host():
    check = CrossOriginCheck(public_url="https://public.example/")
    assert passes(check, origin=b"https://public.example", host=b"10.0.0.1:8000")
    assert socket_passes(check, origin=b"https://public.example", host=b"10.0.0.1:8000")
    # The Host is the client's to choose, and is not asked any more.
    assert not passes(check, origin=b"https://evil.example", host=b"evil.example")
    assert not passes(check, origin=b"http://public.example", host=b"public.example")


@pytest.mark.parametrize(
    "origin",
    [
        "",
        "null",
        "*",
        "app.example",
        "https://",
        "https://app.example/path",
        "https://app.example//",
        "https://app.example?x",
        "https://app.example#x",
        "https://*.app.example",
        "https://user@app.example",
        "https://[::1",
        "https://app.example:port",
        "ftp://app.example",
        "https://äpp.example",
        "https://\ud800.example",
        "https://a b",
    ],
)
def test_an_origin_that_no_browser_would_send_is_a_mistake(origin):
    with pytest.raises(ConfigurationError, match="origin"):
        CrossOriginCheck([origin])
    with pytest.raises(ConfigurationError, match="origin"):
        CrossOriginCheck(public_url=origin)


APPS = [
    "capacitor://localhost",
    "ionic://localhost",
    "tauri://localhost",
    "chrome-extension://aapbdbdomjkkjkaonfhkkikfgjllcleb",
    "moz-extension://6b6cdd7c-4d1b-4d6e-9d41-4d1d5e4f5a5b",
    "app://shop:8080",
]


@pytest.mark.parametrize("origin", APPS)
def test_pages_of_apps_and_extensions_may_be_named(origin):
    check = CrossOriginCheck([origin])
    assert passes(check, origin=origin.encode(), site=b"cross-site")
    assert socket_passes(check, origin=origin.encode())
    others = [other.encode() for other in APPS if other != origin]
    for other in [*others, b"https://localhost", b"http://localhost", b"null"]:
        assert not passes(check, origin=other)
        assert not socket_passes(check, origin=other)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_page_of_an_app_is_never_our_own(scheme):
    for host in (b"localhost", b"localhost:0"):
        origin = b"capacitor://localhost"
        assert not passes(origin=origin, host=host, scheme=scheme)
        assert not passes(origin=b"tauri://" + host, host=host, scheme=scheme)


@pytest.mark.parametrize("origin", ["capacitor://localhost", "app://a"])
def test_the_own_origin_is_that_of_a_server(origin):
    with pytest.raises(ConfigurationError, match="origin"):
        CrossOriginCheck(public_url=origin)


@pytest.mark.parametrize(
    "origin",
    ["file://", "file://x", "data://x", "blob://x", "javascript://x", "ws://x", "://x"],
)
def test_what_has_no_pages_of_its_own_is_a_mistake(origin):
    with pytest.raises(ConfigurationError, match="origin"):
        CrossOriginCheck([origin])


HOSTS = st.sampled_from(
    [b"api.example", b"evil.example", b"", b"[::1]", b"a:1", b"\xff"]
)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([b"origin", b"Origin", b"host", b"sec-fetch-site", b"x"]),
            st.binary(max_size=20)
            | HOSTS
            | HOSTS.map(lambda host: b"https://" + host)
            | st.sampled_from([b"same-origin", b"none", b"null"]),
        ),
        max_size=5,
    )
)
def test_no_headers_break_the_check_and_a_foreign_origin_never_opens_a_socket(pairs):
    check = CrossOriginCheck()
    accepts(check, http_scope(method="POST", headers=pairs))
    if accepts(check, websocket_scope(headers=pairs)):
        origins = [v.strip() for n, v in pairs if n.lower() == b"origin"]
        hosts = [v.strip() for n, v in pairs if n == b"host"]
        assert len(origins) == len(hosts) == 1
        own = origins[0].partition(b"://")[2].lower()
        assert own.removesuffix(b":443") == hosts[0].lower().removesuffix(b":443")
