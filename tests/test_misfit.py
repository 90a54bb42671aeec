"""Who runs a service reads why it refuses good tokens, without DEBUG and only once."""

from __future__ import annotations

import logging

import pytest

from asgi_auth import (
    AuthenticationMiddleware,
    BackendChain,
    Cookie,
    InvalidTokenError,
    JWTBackend,
    TokenVerifier,
)
from asgi_auth.backends.issuers import IssuersBackend
from asgi_auth.backends.trusted import TrustedIssuer
from asgi_auth.testing import FakeClock
from tests import forge
from tests.asgi import Echo, bearer, cookie, run

STRANGER = forge.family("HS256").stranger


def around(*verifiers: TokenVerifier, **options):
    backends = [
        JWTBackend(verifier, name=f"jwt{number}", **options)
        for number, verifier in enumerate(verifiers)
    ]
    return AuthenticationMiddleware(Echo(), BackendChain(*backends))


def alone(**options):
    return AuthenticationMiddleware(Echo(), JWTBackend(forge.verifier(), **options))


async def send(app, *tokens):
    return [(await run(app, headers=[bearer(token)])).status for token in tokens]


def warnings_in(caplog):
    return [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"aud": "other"}, "the audience is another: aud is 'other', expected ['api']"),
        ({"aud": None}, "aud is None, expected ['api']"),
        (
            {"iss": f"{forge.ISSUER}/"},
            f"iss is '{forge.ISSUER}/', expected '{forge.ISSUER}'",
        ),
        (
            {"nbf": forge.NOW + 90},
            f"{forge.NOW + 90}, and now it is {forge.NOW}; that is more than 5 seconds",
        ),
        ({"iat": forge.NOW + 90}, "so that a clock is off"),
    ],
)
async def test_a_setting_that_refuses_all_tokens_is_one_warning(wrong, words, caplog):
    app, token = alone(), forge.token(**wrong)
    assert await send(app, token, token, token) == [401] * 3
    (line,) = warnings_in(caplog)
    assert line.startswith(f"a token of {forge.ISSUER} is refused: ")
    assert words in line
    assert token.decode() not in caplog.text


async def test_each_refusal_is_a_line_at_debug_as_well(caplog):
    caplog.set_level(logging.DEBUG, "asgi_auth.responses")
    token = forge.token(aud="other")
    await send(alone(), token, token)
    lines = [r.getMessage() for r in caplog.records if r.levelno == logging.DEBUG]
    assert sum("aud is 'other', expected ['api']" in line for line in lines) == 2


@pytest.mark.parametrize(
    "token",
    [
        forge.token(aud="other", key=STRANGER),
        forge.token(iss="https://other.example", key=STRANGER),
        forge.token(nbf=forge.NOW + 90, key=STRANGER),
        forge.token(exp=forge.NOW - 1),
        forge.token(sub=None),
        forge.token(aud=[["api"]]),
    ],
    ids=["aud", "iss", "nbf", "expired", "no subject", "no audience at all"],
)
async def test_what_has_no_good_signature_or_is_ordinary_is_no_warning(token, caplog):
    assert await send(alone(), token) == [401]
    assert not warnings_in(caplog)


async def test_a_good_token_is_no_warning(caplog):
    assert await send(alone(), forge.token()) == [200]
    assert not caplog.records


async def test_a_key_for_many_services_gives_few_lines(caplog):
    app = alone()
    others = [forge.token(aud=f"service-{n}\n" + "x" * 999) for n in range(20)]
    assert set(await send(app, *others)) == {401}
    lines = warnings_in(caplog)
    assert len(lines) == 3
    assert all(len(line) < 500 and "\n" not in line for line in lines)
    # What those services have said leaves room for another fault.
    ahead = [forge.token(nbf=forge.NOW + n) for n in range(60, 80)]
    assert set(await send(app, *ahead)) == {401}
    assert len(warnings_in(caplog)) == 4


async def test_a_token_that_another_backend_takes_is_no_warning(caplog):
    """Two issuers may share a key: the first one finds that the other's is not its."""
    other = "https://other.example"
    app = around(forge.verifier(), forge.verifier(issuer=other))
    assert await send(app, forge.token(iss=other)) == [200]
    assert not caplog.records


async def test_a_cookie_that_passes_as_anonymous_is_a_warning_too(caplog):
    app = alone(sources=[Cookie("access")])
    token = forge.token(aud="other")
    assert (await run(app, headers=[cookie(token)])).status == 200
    (line,) = warnings_in(caplog)
    assert "aud is 'other'" in line


async def test_a_token_of_a_trusted_issuer_is_one_warning(caplog):
    """Whether the middleware refuses the caller, or the issuer is asked directly."""
    keys = forge.family("ES256").keys
    clock = FakeClock(forge.NOW)
    trusted = TrustedIssuer(forge.ISSUER, audience="api", keys=keys, clock=clock)
    app = AuthenticationMiddleware(Echo(), IssuersBackend(trusted))
    token = forge.token("ES256", aud="other")
    ahead = forge.token("ES256", nbf=forge.NOW + 90)
    assert await send(app, token, token, ahead, ahead) == [401] * 4
    with pytest.raises(InvalidTokenError, match="aud is 'other'"):
        await trusted.admit(token)

    audience, time = warnings_in(caplog)
    assert audience == (
        f"a token of {forge.ISSUER} is refused: the audience is another: "
        "aud is 'other', expected ['api']"
    )
    assert "more than 60 seconds" in time


async def test_tokens_of_nobody_in_particular_have_no_name(caplog):
    verifier = forge.verifier(issuer=None)
    app = AuthenticationMiddleware(Echo(), JWTBackend(verifier))
    assert await send(app, forge.token(iss=None, aud="other")) == [401]
    (line,) = warnings_in(caplog)
    assert line.startswith("a token is refused: the audience is another")
