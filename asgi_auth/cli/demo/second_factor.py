"""The walk's user with two factors and a passkey, and the routes where she logs in.

The app is played here: a code is made as her phone would make it.
"""

from __future__ import annotations

import json
import secrets
import time
from base64 import b32decode

from asgi_auth.accounts import AccountService, MemoryAccounts
from asgi_auth.cli.demo.elsewhere import PUBLIC_URL, make_identities
from asgi_auth.cli.demo.passkey import make_passkey_steps, make_passkeys
from asgi_auth.cli.demo.step import Answer, Step
from asgi_auth.credentials.site import Site
from asgi_auth.factors import Factors, MemoryFactors
from asgi_auth.factors.totp import STEP, code_at
from asgi_auth.keys import SealKeys
from asgi_auth.routes import AuthRoutes, LogInMethods
from asgi_auth.sessions import TokenService

__all__ = ["make_log_in"]

_EVE = "eve@example.com"
_PASSWORD = "violet-otter-42-lamp"  # noqa: S105  # of an account that ends with the walk


async def make_log_in(tokens: TokenService) -> tuple[AuthRoutes, list[Step]]:
    """Return log-in routes at ``/auth``, and the steps of who logs in there."""
    # The codes of this walk are those of one moment, however long it takes.
    now = time.time()
    accounts = AccountService(MemoryAccounts(), tokens, require_verified=False)
    factors = Factors(
        tokens,
        MemoryFactors(),
        SealKeys({"demo": secrets.token_bytes(32)}),
        name="Demo",
        clock=lambda: now,
    )
    eve = await accounts.create(_EVE, _PASSWORD)
    enrolment = factors.begin_totp(eve)
    secret, step = b32decode(enrolment.secret), int(now // STEP)
    await factors.confirm_totp(eve, enrolment.token, code_at(secret, step))
    passkeys = make_passkeys()
    identities, elsewhere = await make_identities(tokens, accounts)
    routes = AuthRoutes(
        tokens,
        accounts,
        methods=LogInMethods(factors=factors, passkeys=passkeys, identities=identities),
        site=Site(public_url=PUBLIC_URL),
        prefix="/auth",
    )
    weak = await tokens.issue("ada")
    strong = await tokens.issue("ada", acr="mfa")
    code = code_at(secret, step + 1)
    needed = Answer(401, challenge="Bearer")
    step_up = Answer(401, challenge='acr_values="mfa"')
    return routes, [
        _log_in("password without the second factor", needed),
        _log_in("password and the code of an app", Answer(200), code),
        _log_in("the same code once more", needed, code),
        Step(
            "one factor where two are needed",
            step_up,
            path="/payouts",
            headers={"authorization": f"Bearer {weak.access_token}"},
        ),
        Step(
            "two factors",
            Answer(200, "ada"),
            path="/payouts",
            headers={"authorization": f"Bearer {strong.access_token}"},
        ),
        *await make_passkey_steps(tokens, passkeys, eve),
        *elsewhere,
    ]


def _log_in(title: str, expected: Answer, code: str | None = None) -> Step:
    body = json.dumps({"email": _EVE, "password": _PASSWORD, "code": code})
    headers = {"content-type": "application/json"}
    return Step(title, expected, "POST", "/auth/login", headers=headers, body=body)
