"""Who runs a service reads that a credential came in the wrong place, and in which."""

from __future__ import annotations

import logging

import pytest

from asgi_auth import (
    AuthenticationMiddleware,
    BackendChain,
    BearerHeader,
    Cookie,
    JWTBackend,
    RefusalPolicy,
    requires,
)
from asgi_auth.accounts.basic import BasicBackend
from asgi_auth.backends import Client
from asgi_auth.backends.apikey import APIKeyBackend
from asgi_auth.backends.apikeys import APIKeys, MemoryAPIKeys
from asgi_auth.backends.endpoint import IntrospectionEndpoint
from asgi_auth.backends.introspection import IntrospectionBackend
from asgi_auth.credentials.sources import Header
from tests import forge
from tests.asgi import Echo, bearer, cookie, run

TOKEN = forge.token()
KEYS = APIKeys(MemoryAPIKeys(), prefix="shop")
IN_FIELD = APIKeyBackend(KEYS, sources=[Header("X-API-Key")])
IN_SCHEME = APIKeyBackend(KEYS)
JWT = JWTBackend(forge.verifier())
BOTH = BackendChain(JWT, IN_FIELD)
A_KEY = "it looks like one for backend 'apikey', which reads"
A_TOKEN = "it looks like one for backend 'jwt', which reads"


@pytest.fixture
async def key():
    return (await KEYS.generate("ada")).text.encode()


def field(token):
    return b"X-API-Key", token


def after(scheme):
    return lambda token: (b"authorization", scheme + token)


async def refuse(backend, *headers, **options):
    """Send requests with one header each, all of which are refused."""
    app = AuthenticationMiddleware(requires()(Echo()), backend, **options)
    answers = [await run(app, headers=[header]) for header in headers]
    assert {answer.status for answer in answers} == {401}
    return answers


def lines_in(caplog, level=logging.WARNING):
    return [r.getMessage() for r in caplog.records if r.levelno == level]


@pytest.mark.parametrize(
    ("backend", "place", "words"),
    [
        (BOTH, bearer, "X-API-Key, and it came in Authorization: Bearer"),
        (IN_FIELD, bearer, "X-API-Key, and it came in Authorization: Bearer"),
        (BOTH, after(b"apikey "), "X-API-Key, and it came in Authorization: ApiKey"),
        (BOTH, after(b""), "X-API-Key, and it came in Authorization"),
        (IN_SCHEME, field, "Authorization: ApiKey, and it came in x-api-key"),
        (IN_SCHEME, bearer, "Authorization: ApiKey, and it came in Authorization: B"),
    ],
)
async def test_an_api_key_in_the_wrong_place_is_one_warning(
    key, backend, place, words, caplog
):
    caplog.set_level(logging.DEBUG, "asgi_auth")
    header = place(key)
    answers = await refuse(backend, header, header)
    (line,) = lines_in(caplog)
    assert line.startswith(f"a credential is refused: {A_KEY} {words}")
    debug = lines_in(caplog, logging.DEBUG)
    assert sum(f"{A_KEY} {words}" in line for line in debug) == 2
    assert key.decode() not in caplog.text
    # A stranger learns nothing of it.
    assert all("X-API" not in answer.body.decode() for answer in answers)


@pytest.mark.parametrize(
    ("backend", "place", "words"),
    [
        (BOTH, field, "Authorization: Bearer, and it came in X-API-Key"),
        (JWT, field, "Authorization: Bearer, and it came in x-api-key"),
        (
            JWT,
            after(b"Token "),
            "Authorization: Bearer, and it came in Authorization: T",
        ),
        (JWT, after(b""), "Authorization: Bearer, and it came in Authorization"),
        (
            JWTBackend(forge.verifier(), sources=[Cookie("access")]),
            bearer,
            "cookie access, and it came in Authorization: Bearer",
        ),
    ],
)
async def test_a_token_in_the_wrong_place_is_one_warning(backend, place, words, caplog):
    header = place(TOKEN)
    await refuse(backend, header, header)
    (line,) = lines_in(caplog)
    assert line.startswith(f"a credential is refused: {A_TOKEN} {words}")
    assert TOKEN.decode() not in caplog.text


async def test_it_is_said_where_the_middleware_itself_refuses(key, caplog):
    await refuse(IN_FIELD, bearer(key), required=True)
    await refuse(BOTH, bearer(key), required=True)
    assert len(lines_in(caplog)) == 2


async def test_a_key_in_place_of_a_scheme_is_not_written_down(key, caplog):
    caplog.set_level(logging.DEBUG, "asgi_auth")
    for value in (key, key + b" x", b"x " + key, key + b" " + key):
        await refuse(BOTH, (b"authorization", value))

    assert lines_in(caplog)
    assert key.decode() not in caplog.text


@pytest.mark.parametrize(
    "value",
    [
        b"sk-proj-1234567890",
        b"shop",
        b"",
        b" ",
        b"\xff\xfe",
        b"a.b.c",
        b"shop_" + b"x" * 9000,
        forge.token(iss="https://other.example"),
    ],
)
@pytest.mark.parametrize("name", [b"authorization", b"x-api-key", b"x-other-key"])
async def test_what_is_not_of_our_shape_is_no_warning(name, value, caplog):
    await refuse(JWT, (name, value))
    await refuse(IN_SCHEME, (name, value))
    assert not caplog.records


async def test_a_header_that_nobody_would_take_for_ours_is_not_read(key, caplog):
    await refuse(BOTH, (b"x-other-key", key))
    assert not caplog.records


async def test_strangers_cannot_fill_the_log(key, caplog):
    """What they choose is not in the line: each case is one."""
    headers = [bearer(b"shop_%d" % number) for number in range(20)]
    headers += [(b"authorization", b"S%d shop_x" % number) for number in range(20)]
    await refuse(BOTH, *headers)
    assert len(lines_in(caplog)) == 2


async def test_where_a_shape_says_nothing_there_is_no_warning(key, caplog):
    """An opaque token may be anything, and a password is no key."""
    client = Client(id="api", secret=forge.SECRET)
    endpoint = IntrospectionEndpoint("https://issuer.example", client=client)
    opaque = IntrospectionBackend(endpoint, issuer=forge.ISSUER, audience="api")
    basic = BasicBackend(lambda *_: None, realm="shop")
    await refuse(opaque, field(key), field(b"anything"))
    await refuse(basic, field(key), (b"authorization", b"Token " + key))
    assert not caplog.records


async def test_what_passes_as_somebody_elses_is_no_warning(key, caplog):
    policy = RefusalPolicy(invalid="refuse_claimed")
    app = AuthenticationMiddleware(Echo(), BOTH, refusal_policy=policy)
    assert (await run(app, headers=[bearer(key)])).status == 200
    assert not caplog.records


async def test_what_came_in_the_right_place_or_not_at_all_is_no_warning(key, caplog):
    app = AuthenticationMiddleware(requires()(Echo()), BOTH)
    assert (await run(app, headers=[field(key)])).status == 200
    assert (await run(app, headers=[bearer(TOKEN)])).status == 200
    assert (await run(app)).status == 401
    assert (await run(app, headers=[cookie(TOKEN)])).status == 401
    anywhere = APIKeyBackend(KEYS, sources=[BearerHeader(), Header()])
    await refuse(anywhere, bearer(b"shop_bad"), field(b"shop_bad"))
    assert not caplog.records
