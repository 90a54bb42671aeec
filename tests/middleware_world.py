"""What the tests of the middleware share."""

from __future__ import annotations

from asgi_auth import (
    AuthenticationMiddleware,
    BearerHeader,
    Challenge,
    Cookie,
    JWTBackend,
    Principal,
    QueryParam,
    RefusalPolicy,
    Subprotocol,
)
from tests import forge
from tests.asgi import (
    run,
)

EVERYWHERE = (
    BearerHeader(),
    Cookie("access"),
    QueryParam("token", http=True),
    Subprotocol(),
)


GOOD = forge.token()
EXPIRED = forge.token(exp=forge.NOW - 1)
FORGED = forge.token(key=forge.family("HS256").stranger)
OUR_PAGE = (b"host", b"api.example"), (b"origin", b"http://api.example")
FOREIGN_PAGE = (b"host", b"api.example"), (b"origin", b"https://evil.example")


LENIENT = {"refusal_policy": RefusalPolicy(invalid="anonymous")}


def around(app, *, sources=EVERYWHERE, verifier=None, **options):
    backend = JWTBackend(verifier or forge.verifier(), sources=sources)
    return AuthenticationMiddleware(app, backend, **options)


class Stub:
    """Somebody's own backend: gives an answer, or raises it."""

    challenges = (Challenge(),)

    def __init__(self, answer=None, *, name="own", sources=EVERYWHERE):
        self.name = name
        self.sources = sources
        self.answer = answer
        self.asked = 0

    async def authenticate(self, credential, scope):
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer

        return self.answer


async def caller(app, echo, **more) -> Principal:
    answer = await run(app, **more)
    assert answer.status == 200, answer
    return echo.scopes[-1]["auth"]
