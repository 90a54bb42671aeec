"""The header by which an application learns who calls, and nobody's own."""

from __future__ import annotations

import pytest

from asgi_auth import (
    AuthenticationMiddleware,
    ConfigurationError,
    JWTBackend,
    Principal,
)
from asgi_auth.integrations.user_header import UserHeader
from tests import forge
from tests.asgi import Echo, bearer, converse, http_scope, run

HOST = (b"host", b"api.example")
ADA = bearer(forge.token())


def around(app, *args, **options):
    inner = UserHeader(app, *args, **options)
    return AuthenticationMiddleware(inner, JWTBackend(forge.verifier()))


async def said(*headers, **options):
    app = around(echo := Echo(), **options)
    await run(app, headers=[HOST, *headers])
    await converse(app, headers=[HOST, *headers])
    requested, opened = (
        [h for h in scope["headers"] if h not in {HOST, ADA}] for scope in echo.scopes
    )
    assert requested == opened
    return requested


async def test_a_known_caller_is_named():
    assert await said(ADA) == [(b"x-forwarded-user", b"ada")]


@pytest.mark.parametrize(
    "name",
    [
        b"x-forwarded-user",
        b"X-Forwarded-User",
        b"X_FORWARDED_USER",
        b"x-forwarded_user",
    ],
)
async def test_what_a_client_says_of_itself_is_taken_away(name):
    assert await said((name, b"root")) == []
    assert await said((name, b"root"), ADA, (name, b"root")) == [
        (b"x-forwarded-user", b"ada")
    ]


async def test_other_headers_stay():
    other = (b"x-forwarded-users", b"1")
    assert await said(other) == [other]


async def test_name_and_value_are_the_applications_choice():
    named = await said(ADA, name="Remote_User", value=lambda p: f"{p.subject}ä")
    assert named == [(b"remote_user", "adaä".encode())]


@pytest.mark.parametrize("value", ["a\r\nx: y", "a\nb", "a\0"])
async def test_a_value_cannot_end_its_header(value):
    with pytest.raises(ConfigurationError, match="line break"):
        await run(around(Echo(), value=lambda _: value), headers=[ADA])


@pytest.mark.parametrize("name", ["", "a b", "a:b", "ä", "a\n"])
def test_a_name_that_is_none_is_a_mistake(name):
    with pytest.raises(ConfigurationError, match="no name"):
        UserHeader(Echo(), name)


async def test_without_the_middleware_nobody_is_named():
    with pytest.raises(ConfigurationError, match="no principal"):
        await run(UserHeader(Echo()))


async def test_the_scope_of_the_layer_above_stays_as_it_was():
    scope = http_scope(headers=[(b"x-forwarded-user", b"root")])
    scope["auth"] = Principal("ada", is_authenticated=True)
    echo = Echo()

    async def send(_): ...

    await UserHeader(echo)(scope, None, send)
    assert scope["headers"] == [(b"x-forwarded-user", b"root")]
    assert echo.scopes[0]["headers"] == [(b"x-forwarded-user", b"ada")]


async def test_lifespan_passes():
    seen = []

    async def app(scope, receive, send):
        seen.append(scope)

    await UserHeader(app)(lifespan := {"type": "lifespan"}, None, None)
    assert seen == [lifespan]
