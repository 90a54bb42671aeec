from __future__ import annotations

from dataclasses import dataclass

import httpx2
import pytest

from asgi_auth import ConfigurationError, KeySet, TokenService
from asgi_auth.accounts import Account, AuthManager, ManagedAccounts
from asgi_auth.routes import AuthRoutes, RouteShape
from tests.routes.world import (
    EMAIL,
    PASSWORD,
    SECRET,
    assert_problem,
    bearer,
    cheap_hasher,
    log_in,
)


@dataclass
class Row:
    number: int
    mail: str
    password_hash: str
    active: bool = True


class Rows(AuthManager[Row]):
    hasher = cheap_hasher()
    id_type = int

    def __init__(self) -> None:
        self.rows = {}

    async def get_user_by_email(self, email):
        return self.rows.get(email.lower())

    async def get_user_by_id(self, user_id):
        found = (row for row in self.rows.values() if row.number == user_id)
        return next(found, None)

    def account_of(self, user):
        return Account(
            id=user.number, email=user.mail, roles=("user",), disabled=not user.active
        )


async def made():
    rows = Rows()
    rows.rows[EMAIL] = Row(7, EMAIL, await rows.hasher.hash(PASSWORD))
    tokens = TokenService(KeySet.from_secret(SECRET))
    accounts = ManagedAccounts(rows)
    return rows, tokens, accounts


def client_of(routes):
    transport = httpx2.ASGITransport(app=routes)
    return httpx2.AsyncClient(transport=transport, base_url="https://api.example")


async def test_users_of_an_own_database_log_in_and_out():
    _, tokens, accounts = await made()
    async with client_of(AuthRoutes(tokens, accounts)) as client:
        pair = await log_in(client)
        claims = await tokens.verify(pair["access_token"])
        assert (claims["sub"], claims["roles"]) == ("7", ("user",))
        me = await client.get("/me", headers=bearer(pair))
        assert me.json()["id"] == "7"
        again = await client.post(
            "/reauthenticate", json={"password": PASSWORD}, headers=bearer(pair)
        )
        assert again.status_code == 200
        out = await client.post("/logout", headers=bearer(again.json()))
        assert out.status_code == 204
        wrong = {"email": EMAIL, "password": "wrong-one"}
        answer = await client.post("/login", json=wrong)
        assert_problem(answer, 401, "invalid_credentials")


async def test_a_disabled_or_removed_user_is_out():
    rows, tokens, accounts = await made()
    async with client_of(AuthRoutes(tokens, accounts)) as client:
        pair = await log_in(client)
        rows.rows[EMAIL].active = False
        right = {"email": EMAIL, "password": PASSWORD}
        answer = await client.post("/login", json=right)
        assert_problem(answer, 403, "account_disabled")
        me = await client.get("/me", headers=bearer(pair))
        assert_problem(me, 401, "unknown_subject")
        rows.rows.clear()
        me = await client.get("/me", headers=bearer(pair))
        assert_problem(me, 401, "unknown_subject")
        answer = await client.post(
            "/reauthenticate", json={"password": PASSWORD}, headers=bearer(pair)
        )
        assert_problem(answer, 401, "invalid_credentials")


async def test_nothing_else_is_offered():
    _, tokens, accounts = await made()
    routes = AuthRoutes(tokens, accounts)
    assert routes.openapi()["paths"].keys() == {
        "/login",
        "/reauthenticate",
        "/refresh",
        "/logout",
        "/logout-all",
        "/me",
        "/sessions",
        "/sessions/{sid}",
        "/revoke",
        "/ticket",
        "/openapi.json",
        "/client.js",
    }
    with pytest.raises(ConfigurationError, match="add_user"):
        AuthRoutes(tokens, accounts, shape=RouteShape(include=["register"]))
