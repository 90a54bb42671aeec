from __future__ import annotations

from contextlib import suppress

import pytest

from asgi_auth import (
    AuthenticationMiddleware,
    AuthError,
    BearerHeader,
    ConfigurationError,
    Cookie,
    ExpiredTokenError,
    InsufficientScopeError,
    JWTBackend,
    QueryParam,
    RefusalPolicy,
    RevokedTokenError,
    Subprotocol,
    UnavailableError,
    requires,
)
from tests import forge
from tests.asgi import (
    bearer,
    converse,
    cookie,
    denial_of,
    http_scope,
    run,
    websocket_scope,
)

EVERYWHERE = (Cookie("access"), QueryParam("token", http=True), Subprotocol())
HEADERS = [
    (b"origin", b"https://app.example"),
    (b"access-control-request-method", b"PUT"),
]


def around(app, *, sources=EVERYWHERE, **options):
    backend = JWTBackend(forge.verifier(), sources=sources)
    return AuthenticationMiddleware(app, backend, **options)


async def respond(send, status=200, *, headers=(), body=b"hello"):
    start = {"type": "http.response.start", "status": status, "headers": [*headers]}
    await send(start)
    await send({"type": "http.response.body", "body": body})


async def crash_page(send):
    headers = [(b"content-type", b"text/html"), (b"set-cookie", b"x=1")]
    await respond(send, 500, headers=headers, body=b"<h1>it broke</h1>")


# ------------------------------------------------- what frameworks make of an exception


async def test_a_refusal_goes_out_in_place_of_the_frameworks_crash_page():
    async def framework(scope, receive, send):
        try:
            requires("a").check(scope)
        except AuthError:
            await crash_page(send)
            raise

    answer = await run(around(framework))
    assert answer.status == 401
    assert answer.json()["code"] == "unauthenticated"
    assert answer.header("www-authenticate") == "Bearer"
    assert answer.header("set-cookie") is None
    assert b"broke" not in answer.body


async def test_a_crash_page_after_the_exception_was_handled_is_replaced_too():
    async def framework(scope, receive, send):
        try:
            requires("a").check(scope)
        except AuthError:
            crashed = True
        if crashed:
            await crash_page(send)

    assert (await run(around(framework))).status == 401


async def test_crash_pages_of_two_layers_give_one_answer():
    async def framework(scope, receive, send):
        try:
            requires("a").check(scope)
        except AuthError:
            await crash_page(send)
            await crash_page(send)
            raise

    assert (await run(around(framework))).status == 401


async def test_a_crash_that_is_no_refusal_stays_a_crash():
    async def framework(scope, receive, send):
        try:
            raise KeyError("a bug")
        except KeyError:
            await crash_page(send)
            raise

    sent = []
    with pytest.raises(KeyError):
        await run(around(framework), sent=sent)
    assert sent[0]["status"] == 500


async def test_a_bug_after_a_refusal_that_was_caught_stays_a_bug():
    async def framework(scope, receive, send):
        with suppress(AuthError):
            requires("a").check(scope)
        try:
            raise KeyError("a bug")
        except KeyError:
            await crash_page(send)

    assert (await run(around(framework))).status == 500


async def test_a_refusal_that_the_app_has_answered_itself_is_left_alone():
    async def app(scope, receive, send):
        try:
            requires("a").check(scope)
        except AuthError:
            await respond(send, 302, headers=[(b"location", b"/login")])

    answer = await run(around(app))
    assert (answer.status, answer.header("location")) == (302, "/login")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ExpiredTokenError(), 401),
        (InsufficientScopeError(scopes=["a"]), 403),
        (UnavailableError(), 503),
        (ExceptionGroup("two", [RevokedTokenError(), ExpiredTokenError()]), 401),
        (
            ExceptionGroup("deep", [ExceptionGroup("x", [InsufficientScopeError()])]),
            403,
        ),
    ],
    ids=str,
)
async def test_a_refusal_that_the_app_lets_out_is_answered(error, status):
    async def app(scope, receive, send):
        raise error

    assert (await run(around(app))).status == status
    assert denial_of(await converse(around(app), denial=True)).status == status


@pytest.mark.parametrize(
    "error",
    [
        KeyError("a bug"),
        ConfigurationError("no middleware"),
        ExceptionGroup("mixed", [ExpiredTokenError(), KeyError("a bug")]),
        ExceptionGroup(
            "deep", [ExceptionGroup("x", [ExpiredTokenError(), KeyError()])]
        ),
        BaseExceptionGroup("stop", [ExpiredTokenError(), KeyboardInterrupt()]),
    ],
    ids=str,
)
async def test_anything_else_goes_its_way(error):
    async def app(scope, receive, send):
        raise error

    with pytest.raises(type(error)):
        await run(around(app))


async def test_a_refusal_after_the_answer_has_begun_cannot_be_told():
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise ExpiredTokenError

    sent = []
    with pytest.raises(ExpiredTokenError):
        await run(around(app), sent=sent)
    assert [message["type"] for message in sent] == ["http.response.start"]


async def test_a_refusal_after_the_whole_answer_was_replaced_is_no_second_answer():
    async def framework(scope, receive, send):
        try:
            requires("a").check(scope)
        except AuthError:
            await crash_page(send)
            raise ExpiredTokenError from None

    assert (await run(around(framework))).json()["code"] == "unauthenticated"


# ------------------------------------------------------------------------------ sockets


async def test_a_handshake_that_a_framework_closes_gets_the_refusal():
    async def framework(scope, receive, send):
        try:
            requires("a").check(scope)
        except AuthError:
            await send({"type": "websocket.close", "code": 1011})
            raise

    assert denial_of(await converse(around(framework), denial=True)).status == 401
    assert await converse(around(framework)) == [
        {"type": "websocket.close", "code": 3000}
    ]


@pytest.mark.parametrize("accepts", [False, True])
async def test_a_code_that_the_app_has_chosen_goes_out(accepts):
    closed = {"type": "websocket.close", "code": 4401, "reason": "log in at /login"}

    async def app(scope, receive, send):
        if accepts:
            await send({"type": "websocket.accept"})
        try:
            requires("a").check(scope)
        except AuthError:
            await send(closed)

    assert (await converse(around(app), denial=True))[-1] == closed


@pytest.mark.parametrize("code", [None, 1000, 1011, 3000])
async def test_a_code_that_says_nothing_more_becomes_the_refusal(code):
    async def app(scope, receive, send):
        try:
            requires("a").check(scope)
        except AuthError:
            told = {} if code is None else {"code": code}
            await send({"type": "websocket.close", **told})

    assert denial_of(await converse(around(app), denial=True)).status == 401


async def test_a_handshake_that_a_framework_answers_with_500_gets_the_refusal():
    async def framework(scope, receive, send):
        try:
            requires("a").check(scope)
        except AuthError:
            start = {"type": "websocket.http.response.start", "status": 500}
            await send({**start, "headers": []})
            await send({"type": "websocket.http.response.body", "body": b"broke"})

    assert denial_of(await converse(around(framework), denial=True)).status == 401


async def test_a_handshake_that_the_app_answers_itself_is_left_alone():
    async def app(scope, receive, send):
        start = {"type": "websocket.http.response.start", "status": 404, "headers": []}
        await send(start)
        await send({"type": "websocket.http.response.body", "body": b"gone"})

    answer = denial_of(await converse(around(app), denial=True))
    assert (answer.status, answer.body) == (404, b"gone")


async def test_a_refusal_in_the_middle_of_such_an_answer_cannot_be_told():
    async def app(scope, receive, send):
        start = {"type": "websocket.http.response.start", "status": 404, "headers": []}
        await send(start)
        raise ExpiredTokenError

    sent = []
    with pytest.raises(ExpiredTokenError):
        await converse(around(app), denial=True, sent=sent)
    assert len(sent) == 1


@pytest.mark.parametrize("code", [1011, 1000, 4500, None])
async def test_an_accepted_socket_that_crashes_says_why(code):
    async def framework(scope, receive, send):
        await send({"type": "websocket.accept"})
        try:
            requires("a").check(scope)
        except AuthError:
            close = {"type": "websocket.close"}
            await send(close if code is None else {**close, "code": code})
            raise

    sent = await converse(around(framework))
    close = {"type": "websocket.close", "code": 3000, "reason": "unauthenticated"}
    assert sent[1:] == [close]


async def test_a_code_that_the_app_has_chosen_is_kept():
    async def app(scope, receive, send):
        await send({"type": "websocket.accept"})
        try:
            requires("a").check(scope)
        except AuthError:
            await send({"type": "websocket.close", "code": 4001})

    sent = await converse(around(app))
    assert sent[1] == {"type": "websocket.close", "code": 4001}


async def test_a_refusal_that_the_app_has_survived_is_forgotten():
    async def app(scope, receive, send):
        await send({"type": "websocket.accept"})
        try:
            requires("a").check(scope)
        except AuthError:
            await send({"type": "websocket.send", "text": "not you"})
        await send({"type": "websocket.close", "code": 1000})

    sent = await converse(around(app))
    assert sent[-1] == {"type": "websocket.close", "code": 1000}


async def test_an_accepted_socket_whose_app_raises_is_closed_with_the_reason():
    async def app(scope, receive, send):
        await send({"type": "websocket.accept"})
        raise InsufficientScopeError

    close = {"type": "websocket.close", "code": 3003, "reason": "insufficient_scope"}
    assert (await converse(around(app)))[1:] == [close]


async def test_nobody_is_told_where_the_client_has_gone():
    async def app(scope, receive, send):
        await send({"type": "websocket.accept"})
        raise ExpiredTokenError

    async def send(message):
        if message["type"] == "websocket.close":
            raise OSError("gone")

    async def receive():
        return {"type": "websocket.disconnect", "code": 1006}

    await around(app)(websocket_scope(), receive, send)


# ------------------------------------------------------------------------- subprotocols


def accepting(name=None, seen=None):
    async def app(scope, receive, send):
        if seen is not None:
            seen.append(scope["subprotocols"])

        accept = {"type": "websocket.accept"}
        await send(accept if name is None else {**accept, "subprotocol": name})
        await send({"type": "websocket.close", "code": 1000})

    return app


@pytest.mark.parametrize(
    ("chosen", "answered"),
    [(None, "bearer"), ("chat", "chat"), ("bearer", "bearer"), ("other", "bearer")],
)
async def test_the_offer_gets_an_answer_that_never_holds_the_token(chosen, answered):
    seen = []
    token = forge.token().decode()
    offer = ["chat", "bearer", token]
    sent = await converse(around(accepting(chosen, seen)), subprotocols=offer)
    assert sent[0]["subprotocol"] == answered
    assert seen == [["chat"]]
    # An app that answers with the very token is not let.
    sent = await converse(around(accepting(token)), subprotocols=offer)
    assert token not in repr(sent)


async def test_the_form_of_kubernetes_is_answered_with_another_offered_name():
    encoded = forge.b64(forge.token()).decode()
    name = f"base64url.bearer.authorization.{encoded}"
    seen = []
    sent = await converse(
        around(accepting(None, seen)), subprotocols=[name, "v5", "v4"]
    )
    assert sent[0]["subprotocol"] == "v5"
    assert seen == [["v5", "v4"]]


async def test_a_malformed_offer_does_not_show_its_token_to_the_app():
    encoded = forge.b64(forge.token()).decode()
    name = f"base64url.bearer.authorization.{encoded}"
    for offer in ([name], ["bearer", forge.token(exp=0).decode()]):
        seen = []
        app = around(
            accepting(None, seen), refusal_policy=RefusalPolicy(invalid="anonymous")
        )
        sent = await converse(app, subprotocols=offer)
        assert seen == [[]]
        assert sent[0].get("subprotocol") in {None, "bearer"}


async def test_without_a_token_the_offer_is_the_apps_alone():
    seen = []
    sent = await converse(around(accepting("chat", seen)), subprotocols=["chat", "x"])
    assert sent[0]["subprotocol"] == "chat"
    assert seen == [["chat", "x"]]


# ------------------------------------------------------------------------------ caching


def answering(*headers):
    async def app(scope, receive, send):
        await respond(send, headers=headers)

    return app


COOKIE = [cookie(forge.token())]
QUERY = b"token=" + forge.token()


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ([], b"Cookie"),
        ([b"Accept"], b"Accept, Cookie"),
        ([b"Accept", b"Origin"], b"Accept, Origin, Cookie"),
        ([b"X-Cookie"], b"X-Cookie, Cookie"),
    ],
)
async def test_an_answer_to_a_cookie_varies_with_it(theirs, ours):
    app = around(answering(*((b"Vary", value) for value in theirs)))
    answer = await run(app, headers=COOKIE)
    assert answer.all("vary") == [ours]


@pytest.mark.parametrize("value", [b"cookie", b"Accept, Cookie", b"*", b"COOKIE ,x"])
async def test_an_answer_that_varies_enough_is_left_alone(value):
    headers = [(b"vary", b"Accept-Encoding"), (b"vary", value)]
    answer = await run(around(answering(*headers)), headers=COOKIE)
    assert answer.all("vary") == [b"Accept-Encoding", value]


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ([], [b"private"]),
        ([b"public, max-age=60"], [b"private"]),
        ([b'private="x-name"'], [b"private"]),
        ([b"no-cache"], [b"private"]),
        ([b"no-store"], [b"no-store"]),
        ([b"Private, max-age=60"], [b"Private, max-age=60"]),
    ],
)
async def test_an_answer_to_a_query_token_is_private(theirs, ours):
    app = around(answering(*((b"Cache-Control", value) for value in theirs)))
    answer = await run(app, query=QUERY)
    assert answer.all("cache-control") == ours


async def test_other_answers_are_not_touched():
    for headers in ([], [bearer(forge.token())]):
        answer = await run(around(answering((b"x", b"y"))), headers=headers)
        assert answer.headers == [(b"x", b"y")]


async def test_a_message_without_headers_gets_them():
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body"})

    assert (await run(around(app), headers=COOKIE)).header("vary") == "Cookie"


async def test_a_stale_cookie_varies_the_answer_as_well():
    headers = [cookie(forge.token(exp=0))]
    assert (await run(around(answering()), headers=headers)).header("vary") == "Cookie"


# ---------------------------------------------------------------------------- preflight


def preflight(app, **more):
    return run(app, method="OPTIONS", headers=HEADERS, **more)


async def test_an_app_that_ignores_the_method_does_not_leak_through_a_preflight():
    async def app(scope, receive, send):
        request = await receive()
        assert (request["body"], request["more_body"]) == (b"", False)
        headers = [
            (b"Content-Length", b"6"),
            (b"Transfer-Encoding", b"x"),
            (b"a", b"b"),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"sec", "more_body": True})
        await send({"type": "http.response.body", "body": b"ret"})

    answer = await preflight(around(app), body=b"sent along")
    assert answer.body == b""
    assert answer.headers == [(b"a", b"b"), (b"content-length", b"0")]


async def test_an_app_that_listens_to_a_preflight_hears_no_body_but_that_it_ends():
    heard = []

    async def app(scope, receive, send):
        heard.extend([await receive(), await receive()])
        await respond(send)

    assert (await preflight(around(app), body=b"sent along")).status == 200
    empty = {"type": "http.request", "body": b"", "more_body": False}
    assert heard == [empty, {"type": "http.disconnect"}]


async def test_an_answer_that_has_no_content_says_nothing_of_its_length():
    async def app(scope, receive, send):
        await respond(send, 204, headers=[(b"content-length", b"0")], body=b"")

    assert (await preflight(around(app))).headers == []


async def test_hints_and_trailers_do_not_get_through_a_preflight():
    async def app(scope, receive, send):
        await send({"type": "http.response.debug", "info": {"template": "secret"}})
        await send({"type": "http.response.early_hint", "links": [b"</secret>"]})
        start = {"type": "http.response.start", "status": 200, "trailers": True}
        await send({**start, "headers": []})
        await send({"type": "http.response.body", "body": b"secret"})
        trailers = [(b"x-secret", b"1")]
        await send({"type": "http.response.trailers", "headers": trailers})

    sent = []
    answer = await preflight(around(app), sent=sent)
    assert answer.body == b""
    assert b"secret" not in repr(sent).encode()
    assert sent[0]["trailers"] is False


@pytest.mark.parametrize("kind", ["pathsend", "zerocopysend"])
async def test_a_file_does_not_get_through_a_preflight(kind):
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": f"http.response.{kind}", "path": "/etc/passwd", "file": 3})

    sent = []
    assert (await preflight(around(app), sent=sent)).body == b""
    assert "passwd" not in repr(sent)


async def test_a_guard_below_refuses_a_preflight_without_a_body():
    answer = await preflight(around(requires("a")(answering())))
    assert (answer.status, answer.body) == (401, b"")


# -------------------------------------------------- what frameworks keep to themselves


def swallowing(*, accepts):
    """Be a framework that logs the exceptions of a socket, and says nothing of them."""

    async def app(scope, receive, send):
        if accepts:
            await send({"type": "websocket.accept"})

        with suppress(AuthError):
            requires("a").check(scope)

    return around(app, sources=[BearerHeader()])


@pytest.mark.parametrize("headers", [[], [bearer(forge.token(scope="b"))]])
async def test_a_refusal_that_a_framework_swallows_is_told_when_it_returns(headers):
    code = 3003 if headers else 3000
    accepted = await converse(swallowing(accepts=True), headers=headers)
    assert [message.get("code") for message in accepted] == [None, code]
    refused = await converse(swallowing(accepts=False), headers=headers)
    assert [message["code"] for message in refused] == [code]
    denied = denial_of(
        await converse(swallowing(accepts=False), headers=headers, denial=True)
    )
    assert denied.status == (403 if headers else 401)


async def test_a_request_without_an_answer_gets_the_refusal_that_was_swallowed():
    async def app(scope, receive, send):
        with suppress(AuthError):
            requires("a").check(scope)

    assert (await run(around(app))).status == 401


async def test_a_socket_that_goes_on_after_a_refusal_is_left_alone():
    async def app(scope, receive, send):
        await send({"type": "websocket.accept"})
        with suppress(AuthError):
            requires("a").check(scope)

        await send({"type": "websocket.send", "text": "only without a"})

    messages = await converse(around(app))
    assert [message["type"] for message in messages][1:] == ["websocket.send"]


async def test_the_words_that_an_app_finds_for_a_refusal_are_its_last():
    async def app(scope, receive, send):
        await send({"type": "websocket.accept"})
        try:
            requires("a").check(scope)
        except AuthError:
            await send({"type": "websocket.close", "code": 4001})

    messages = await converse(around(app))
    assert [message.get("code") for message in messages] == [None, 4001]


@pytest.mark.parametrize("accepts", [True, False])
@pytest.mark.parametrize("status", [401, 500])
async def test_an_http_answer_on_a_socket_gives_way_to_the_refusal(accepts, status):
    async def app(scope, receive, send):
        if accepts:
            await send({"type": "websocket.accept"})

        try:
            requires("a").check(scope)
        except AuthError:
            await respond(send, status)

    *_, last = await converse(around(app))
    assert (last["type"], last["code"]) == ("websocket.close", 3000)


async def test_an_http_answer_on_a_socket_that_is_no_refusal_is_not_ours_to_mend():
    sent = []

    async def send(message):
        sent.append(message["type"])

    async def app(scope, receive, send):
        with suppress(AuthError):
            requires("a").check(scope)
        try:
            raise KeyError("a bug")
        except KeyError:
            await respond(send, 500)
            raise

    with pytest.raises(KeyError):
        await around(app)(websocket_scope(), None, send)
    assert sent == ["http.response.start", "http.response.body"]


@pytest.mark.parametrize("denial", [False, True])
async def test_a_start_without_a_status_is_the_servers_to_complain_of(denial):
    sent = []
    prefix = "websocket.http" if denial else "http"

    async def app(scope, receive, send):
        await send({"type": f"{prefix}.response.start"})

    async def send(message):
        sent.append(message)

    scope = websocket_scope(denial=True) if denial else http_scope()
    await around(app)(scope, None, send)
    await around(app)({**http_scope(method="OPTIONS"), "headers": HEADERS}, None, send)
    assert all("status" not in message for message in sent)
    assert len(sent) == (1 if denial else 2)


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("accepts", [True, False])
async def test_layers_of_ours_around_a_framework_that_catches_all_refuse_once(
    layers, accepts
):
    async def framework(scope, receive, send):
        try:
            if accepts and scope["type"] == "websocket":
                await send({"type": "websocket.accept"})

            requires("a").check(scope)
        except Exception:  # noqa: BLE001  (that is what it does)
            if scope["type"] == "http":
                await crash_page(send)

    app = framework
    for _ in range(layers):
        app = around(app, sources=[BearerHeader()])

    other = [bearer(forge.token(scope="b"))]
    assert (await run(app)).status == 401
    answer = await run(app, headers=other)
    assert (answer.status, answer.json()["code"]) == (403, "insufficient_scope")
    *_, close = await converse(app, headers=other)
    assert (close["type"], close["code"]) == ("websocket.close", 3003)
    if not accepts:
        assert denial_of(await converse(app, headers=other, denial=True)).status == 403
