"""HTTP requests on every server."""

from __future__ import annotations

import json

import httpx2
import pytest

from tests.servers.application import (
    expired_token,
    forged_token,
    token_of_another_kind,
)
from tests.servers.running import SERVERS

INVALID = 'Bearer error="invalid_token", error_description="The token is not valid."'
EXPIRED = 'Bearer error="invalid_token", error_description="The token has expired."'
TOO_LITTLE = (
    'Bearer error="insufficient_scope", '
    'error_description="The credentials do not allow this."'
)
BAD_TOKENS = {
    "expired": (expired_token, EXPIRED, "token_expired"),
    "forged": (forged_token, INVALID, "invalid_token"),
    "of another kind": (token_of_another_kind, INVALID, "invalid_token"),
    "no token at all": (lambda: "abc", INVALID, "invalid_token"),
}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def assert_refused(response, status, code, challenge):
    assert response.status_code == status
    assert response.headers.get_list("www-authenticate") == [challenge]
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["cache-control"] == "no-store"
    assert response.headers.get_list("content-length") == [str(len(response.content))]
    assert response.json()["code"] == code


def test_a_request_without_a_token_is_anonymous(client):
    seen = client.get("/whoami").json()

    assert (seen["subject"], seen["source"], seen["error"]) == ("", None, None)


def test_a_good_token_in_the_header_names_the_caller(client, token):
    seen = client.get("/whoami", headers=bearer(token)).json()

    assert (seen["subject"], seen["source"]) == ("ann", "header")


def test_the_scheme_may_be_written_in_lower_case(client, token):
    response = client.get("/guarded", headers={"Authorization": f"bearer {token}"})

    assert response.json()["subject"] == "ann"


def test_a_good_token_in_a_cookie_names_the_caller(client, token):
    response = client.get("/guarded", headers={"Cookie": f"theme=dark; access={token}"})

    assert response.json()["source"] == "cookie"
    assert response.headers["vary"] == "Cookie"


def test_a_good_token_in_the_query_names_the_caller_and_stays_hidden(client, token):
    response = client.get("/guarded", params={"access_token": token, "page": "2"})

    assert response.json()["source"] == "query"
    assert response.json()["query"] == "access_token=&page=2"
    assert response.headers["cache-control"] == "private"


def test_the_query_parameter_of_sockets_is_nothing_to_http(client, token):
    assert client.get("/whoami", params={"token": token}).json()["subject"] == ""


@pytest.mark.parametrize("kind", BAD_TOKENS)
@pytest.mark.parametrize("place", ["header", "query"])
def test_a_bad_token_is_refused_with_a_challenge(client, kind, place):
    make, challenge, code = BAD_TOKENS[kind]
    if place == "header":
        response = client.get("/whoami", headers=bearer(make()))
    else:
        response = client.get("/whoami", params={"access_token": make()})

    assert_refused(response, 401, code, challenge)


@pytest.mark.parametrize("kind", BAD_TOKENS)
def test_a_bad_cookie_is_anonymous_and_a_guard_says_why(client, kind):
    make, challenge, code = BAD_TOKENS[kind]
    cookie = {"Cookie": f"access={make()}"}

    assert client.get("/whoami", headers=cookie).json()["error"] == code
    assert_refused(client.get("/guarded", headers=cookie), 401, code, challenge)


def test_a_guard_without_a_token_answers_a_bare_challenge(client):
    assert_refused(client.get("/guarded"), 401, "unauthenticated", "Bearer")


def test_a_guard_asks_for_the_scope_that_is_missing(client, token):
    response = client.get("/guarded/orders", headers=bearer(token))

    challenge = f'{TOO_LITTLE}, scope="orders:read"'
    assert_refused(response, 403, "insufficient_scope", challenge)


def test_an_error_that_the_app_raises_is_a_refusal(client):
    unknown = client.get("/handler-refuses/401")
    known = client.get("/handler-refuses/403")

    assert_refused(unknown, 401, "unauthenticated", "Bearer")
    assert_refused(known, 403, "insufficient_scope", TOO_LITTLE)


def test_head_gets_the_same_answer_without_its_body(client, server):
    with_body = client.get("/guarded")
    head = client.head("/guarded")

    assert head.status_code == 401
    assert head.content == b""
    for name in ("www-authenticate", "content-type", "cache-control"):
        assert head.headers[name] == with_body.headers[name]

    # The connection is still in step: nothing of a body was left on it.
    assert client.get("/whoami").status_code == 200


def test_a_request_is_refused_without_its_body_being_read(client):
    # Some servers close a connection whose request nobody has read to its end.
    headers = {"Connection": "close"}
    response = client.post("/guarded", content=b"x" * 100_000, headers=headers)

    assert_refused(response, 401, "unauthenticated", "Bearer")
    assert client.get("/whoami").status_code == 200


def test_a_cookie_from_a_foreign_page_is_refused(client, server, token):
    headers = {"Cookie": f"access={token}", "Origin": "https://evil.example"}
    own = {**headers, "Origin": f"http://127.0.0.1:{server.port}"}

    refused = client.post("/whoami", headers=headers)

    assert refused.status_code == 403
    assert refused.json()["code"] == "cross_origin"
    assert "www-authenticate" not in refused.headers
    assert client.post("/whoami", headers=own).json()["subject"] == "ann"


def test_two_authorization_headers_are_a_bad_request(client, token):
    headers = [("Authorization", f"Bearer {token}")] * 2
    response = client.get("/whoami", headers=headers)

    challenge = (
        'Bearer error="invalid_request", '
        'error_description="The credentials of the request are malformed."'
    )
    assert_refused(response, 400, "invalid_request", challenge)


def test_a_token_in_the_header_and_the_query_is_a_bad_request(client, token):
    response = client.get(
        "/whoami", params={"access_token": token}, headers=bearer(token)
    )

    assert response.status_code == 400
    assert token not in response.text


def test_a_preflight_passes_and_its_body_is_dropped(client):
    headers = {
        "Origin": "https://app.example",
        "Access-Control-Request-Method": "DELETE",
        "Authorization": "Bearer abc",
    }
    response = client.options("/whoami", headers=headers)

    assert response.status_code == 200
    assert response.content == b""
    assert client.get("/whoami").status_code == 200


def test_a_crash_is_a_500_and_the_server_lives(client, token):
    with_token = client.get("/crash", headers=bearer(token))

    assert with_token.status_code == 500
    assert "www-authenticate" not in with_token.headers
    assert client.get("/whoami").status_code == 200


@pytest.mark.parametrize("path", ["/crash-late", "/refuse-late"])
def test_an_error_after_the_response_has_begun_cuts_it_off(client, server, path):
    with pytest.raises(httpx2.TransportError):
        client.get(path)

    server.log_with("after the response has begun")
    assert client.get("/whoami").status_code == 200


def test_cookies_in_several_fields_of_http_2_are_joined(start, token):
    server = start("hypercorn", SERVERS["hypercorn"])
    cookies = [("cookie", "theme=dark"), ("cookie", f"access={token}")]
    url = f"http://127.0.0.1:{server.port}/guarded"
    with httpx2.Client(http1=False, http2=True, trust_env=False, timeout=20) as client:
        response = client.get(url, headers=cookies)
        refused = client.get(url)

    assert response.http_version == "HTTP/2"
    assert json.loads(response.content)["source"] == "cookie"
    assert_refused(refused, 401, "unauthenticated", "Bearer")
