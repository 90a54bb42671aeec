from __future__ import annotations

import pytest

from asgi_auth import (
    AuthenticationError,
    AuthorizationError,
    Challenge,
    CrossOriginError,
    ExpiredTokenError,
    InsufficientScopeError,
    InvalidRequestError,
    RateLimitedError,
    UnavailableError,
    deny,
)
from asgi_auth.errors import MethodNotAllowedError
from asgi_auth.responses.deny import close_code
from asgi_auth.responses.state import KEY, RequestState, make_state
from asgi_auth.responses.watch import UNWATCHED
from tests.asgi import converse, denial_of, run


def refusing(error, state=None):
    async def app(scope, receive, send):
        if state is not None:
            scope[KEY] = state

        await deny(error, scope, receive, send)

    return app


async def test_http_gets_a_problem_document():
    answer = await run(refusing(ExpiredTokenError("exp was 17")))
    assert answer.status == 401
    assert answer.header("content-type") == "application/problem+json"
    assert answer.header("cache-control") == "no-store"
    assert answer.header("content-length") == str(len(answer.body))
    assert answer.json() == {
        "type": "urn:asgi-auth:error:token_expired",
        "title": "Unauthorized",
        "status": 401,
        "detail": "The token has expired.",
        "code": "token_expired",
    }


async def test_head_gets_the_head_of_the_answer_alone():
    whole = await run(refusing(ExpiredTokenError()))
    head = await run(refusing(ExpiredTokenError()), method="HEAD")
    assert (head.status, head.headers, head.body) == (401, whole.headers, b"")


async def test_every_scheme_has_a_challenge_of_its_own():
    challenges = (Challenge(), Challenge("ApiKey", {"realm": "orders"}))
    state = make_state(RequestState.seen_by(UNWATCHED, challenges))
    answer = await run(refusing(ExpiredTokenError(), state))
    first, second = answer.all("www-authenticate")
    assert first.startswith(b'Bearer error="invalid_token"')
    assert second == b'ApiKey realm="orders"'


@pytest.mark.parametrize("error", [AuthenticationError, ExpiredTokenError])
async def test_a_401_always_has_a_challenge(error):
    answer = await run(refusing(error()))
    assert answer.header("www-authenticate").startswith("Bearer")


async def test_a_403_has_a_challenge_only_if_other_credentials_would_help():
    answer = await run(refusing(InsufficientScopeError(scopes=["a"])))
    assert 'scope="a"' in answer.header("www-authenticate")
    for error in (AuthorizationError(), CrossOriginError()):
        answer = await run(refusing(error))
        assert answer.status == 403
        assert answer.header("www-authenticate") is None


async def test_a_malformed_request_is_told_so():
    answer = await run(refusing(InvalidRequestError()))
    assert answer.status == 400
    assert 'error="invalid_request"' in answer.header("www-authenticate")


@pytest.mark.parametrize(
    ("error", "status"), [(RateLimitedError, 429), (UnavailableError, 503)]
)
async def test_who_may_come_back_is_told_when_and_not_to_log_in(error, status):
    answer = await run(refusing(error(retry_after=7.2)))
    assert (answer.status, answer.header("retry-after")) == (status, "8")
    assert answer.header("www-authenticate") is None


async def test_a_method_that_is_not_allowed_is_answered_with_those_that_are():
    error = MethodNotAllowedError(allow=["GET", "POST"])
    answer = await run(refusing(error))
    assert (answer.status, answer.header("allow")) == (405, "GET, POST")
    assert answer.header("www-authenticate") is None


async def test_refusals_of_many_apps_do_not_mix():
    for _ in range(2):
        for number in range(300):
            challenge = Challenge(params={"realm": str(number)})
            state = make_state(RequestState.seen_by(UNWATCHED, (challenge,)))
            answer = await run(refusing(AuthenticationError(), state))
            assert answer.header("www-authenticate") == f'Bearer realm="{number}"'


async def test_needed_roles_are_listed():
    answer = await run(refusing(InsufficientScopeError(roles=["editor", "owner"])))
    assert answer.json()["roles"] == ["editor", "owner"]
    assert "roles" not in (await run(refusing(InsufficientScopeError()))).json()


async def test_a_socket_gets_the_http_answer_where_the_server_can():
    answer = denial_of(await converse(refusing(ExpiredTokenError()), denial=True))
    assert answer.status == 401
    assert answer.json()["code"] == "token_expired"
    assert answer.header("www-authenticate").startswith("Bearer")


async def test_a_socket_is_closed_where_the_server_cannot():
    sent = await converse(refusing(ExpiredTokenError()))
    assert sent == [{"type": "websocket.close", "code": 3000}]
    sent = await converse(refusing(ExpiredTokenError()), extensions=None)
    assert sent == [{"type": "websocket.close", "code": 3000}]


async def test_an_accepted_socket_is_closed_with_code_and_reason():
    state = make_state(RequestState)

    async def app(scope, receive, send):
        await send({"type": "websocket.accept"})
        state.started = True
        await refusing(UnavailableError(), state)(scope, receive, send)

    sent = await converse(app, denial=True)
    close = {"type": "websocket.close", "code": 1013, "reason": "unavailable"}
    assert sent[-1] == close


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (AuthenticationError(), 3000),
        (ExpiredTokenError(), 3000),
        (InvalidRequestError(), 3000),
        (InsufficientScopeError(), 3003),
        (CrossOriginError(), 3003),
        (RateLimitedError(), 1013),
        (UnavailableError(), 1013),
    ],
)
def test_close_codes_are_those_of_the_registry(error, code):
    assert close_code(error) == code


async def test_a_flood_of_different_refusals_does_not_fill_the_memory():
    from asgi_auth.responses.problem import _FLOODS, _made, problem_of

    for number in range(2 * _FLOODS):
        challenge = Challenge(params={"realm": str(number)})
        problem_of(AuthenticationError(), (challenge,))

    assert len(_made) <= _FLOODS


async def test_a_refusal_may_say_more_to_one_caller_and_nothing_of_it_to_the_next():
    error = ExpiredTokenError()
    error.members = {"methods": ["totp"], "pending_token": "a.b.c"}
    answer = await run(refusing(error))
    assert answer.json()["pending_token"] == "a.b.c"
    assert answer.json()["code"] == "token_expired"
    assert answer.header("content-length") == str(len(answer.body))
    other = await run(refusing(ExpiredTokenError()))
    assert "pending_token" not in other.json()
