"""Users of an application's own: names, ids that are numbers, models, rights."""

from __future__ import annotations

import logging
from copy import copy
from dataclasses import dataclass, field
from itertools import count
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
from passlib.context import CryptContext
from passlib.hash import bcrypt
from pydantic import BaseModel

from asgi_auth import ConfigurationError, KeySet, SessionPolicy, TokenService
from asgi_auth.accounts import (
    Account,
    AccountService,
    AuthManager,
    DuplicateAccountError,
    ManagedAccounts,
    MemoryAccounts,
    Outbox,
    StaleAccountError,
    UnknownAccountError,
)
from asgi_auth.errors import UnavailableError
from asgi_auth.passwords import PasswordHasher
from asgi_auth.routes import AuthRoutes, RouteShape
from asgi_auth.testing import FakeClock
from tests.routes.settings import make_routes
from tests.routes.world import (
    PASSWORD,
    SECRET,
    Mailbox,
    assert_problem,
    bearer,
    cheap_hasher,
)


@dataclass
class Person:
    id: Any
    username: str
    email: str | None
    hashed_password: str | None
    roles: list[str] = field(default_factory=list)
    is_active: bool = True
    is_verified: bool = False
    city: str = ""


class People(AuthManager[Person]):
    """Whoever logs in by name; ids are ints."""

    hasher = cheap_hasher()
    password_attribute = "hashed_password"
    id_type = int

    def __init__(self) -> None:
        self.people: dict[Any, Person] = {}
        self.numbers = count(7)

    async def get_user_by_login(self, login):
        return next((p for p in self.people.values() if p.username == login), None)

    async def get_user_by_id(self, user_id):
        assert isinstance(user_id, self.id_type)
        return self.people.get(user_id)

    async def seed(self, username="bob", **more):
        hashed = await self.hasher.hash(PASSWORD)
        person = Person(next(self.numbers), username, None, hashed, **more)
        self.people[person.id] = person
        return person


class Managing(People):
    """All that a manager may do."""

    async def get_user_by_email(self, email):
        return next((p for p in self.people.values() if p.email == email), None)

    async def add_user(self, account):
        if await self.get_user_by_login(account.username):
            raise DuplicateAccountError
        number = next(self.numbers)
        self.people[number] = Person(
            number, account.username, account.email, account.password_hash
        )
        self.people[number].city = account.data.get("city", "")
        return self.people[number]

    async def save_user(self, user, account):
        user.email, user.hashed_password = account.email, account.password_hash
        user.roles, user.is_active = list(account.roles), not account.disabled
        user.is_verified = account.verified_at is not None

    async def delete_user(self, user):
        del self.people[user.id]

    async def list_users(self, *, search, after, limit):
        behind = int(after or 0)
        return [
            person
            for number, person in sorted(self.people.items())
            if number > behind and search in person.username
        ][:limit]


class PersonOut(BaseModel):
    id: int
    username: str
    city: str


class PersonIn(BaseModel):
    username: str
    email: str | None = None
    password: str
    city: str = ""


class World:
    def __init__(self, manager=None, *, mail=False, tokens=None, **routes) -> None:
        self.users = Managing() if manager is None else manager
        self.events = []
        self.clock = FakeClock()
        self.tokens = TokenService(
            KeySet.from_secret(SECRET),
            on_event=self._hear,
            issuer="https://own",
            clock=self.clock,
            **(tokens or {}),
        )
        self.mailbox, self.outbox = Mailbox(), Outbox(delay=0)
        self.accounts = ManagedAccounts(
            self.users,
            tokens=self.tokens,
            send_message=self.mailbox if mail else None,
            outbox=self.outbox,
            clock=self.clock,
        )
        self.routes = make_routes(self.tokens, self.accounts, **routes)

    async def _hear(self, event) -> None:
        self.events.append(event)

    def client(self):
        transport = httpx2.ASGITransport(app=self.routes)
        return httpx2.AsyncClient(transport=transport, base_url="https://api.example")


async def log_in(client, username="bob", password=PASSWORD):
    answer = await client.post(
        "/login", json={"username": username, "password": password}
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize("how", ["json", "data"])
async def test_names_log_in_and_ids_are_numbers(how):
    world = World(People())
    person = await world.users.seed()
    async with world.client() as client:
        fields = {"username": "bob", "password": PASSWORD}
        answer = await client.post("/login", **{how: fields})
        assert answer.status_code == 200
        me = await client.get("/me", headers=bearer(answer.json()))
        assert me.json() == {
            "id": "7",
            "username": "bob",
            "verified": False,
            "roles": [],
        }
        again = await client.post(
            "/reauthenticate",
            json={"password": PASSWORD},
            headers=bearer(answer.json()),
        )
        assert again.status_code == 200
    assert len(await world.tokens.sessions(person.id)) == 1
    await world.tokens.revoke_subject(person.id)
    assert await world.tokens.sessions("7") == []


@pytest.mark.parametrize("fields", [{}, {"email": "a@b.co", "username": "a"}])
async def test_a_log_in_has_one_name(fields):
    async with World(People()).client() as client:
        answer = await client.post("/login", json={**fields, "password": PASSWORD})
    assert_problem(answer, 422, "invalid_body")


async def test_the_document_knows_both_names():
    document = World(People()).routes.openapi()
    schema = document["components"]["schemas"]["LoginRequest"]
    assert schema["anyOf"] == [{"required": ["email"]}, {"required": ["username"]}]
    assert schema["required"] == ["password"]
    login = document["paths"]["/login"]["post"]["requestBody"]["content"]
    form = login["application/x-www-form-urlencoded"]["schema"]
    assert {"username", "email"} <= form["properties"].keys()


async def test_rights_are_looked_at_on_every_refresh_by_default():
    world = World(People())
    person = await world.users.seed(roles=["superuser"])
    async with world.client() as client:
        pair = await log_in(client)
        person.roles = []
        answer = await client.post(
            "/refresh", json={"refresh_token": pair["refresh_token"]}
        )
        pair = answer.json()
        claims = await world.tokens.verify(pair["access_token"])
        assert "roles" not in claims
        person.is_active = False
        answer = await client.post(
            "/refresh", json={"refresh_token": pair["refresh_token"]}
        )
        assert_problem(answer, 401, "unknown_subject")
    assert await world.tokens.sessions(person.id) == []


async def test_rights_stay_where_that_is_switched_off_by_name():
    world = World(
        People(), tokens={"session_policy": SessionPolicy(insecure_keep_rights=True)}
    )
    person = await world.users.seed(roles=["superuser"])
    async with world.client() as client:
        pair = await log_in(client)
        person.roles = []
        answer = await client.post(
            "/refresh", json={"refresh_token": pair["refresh_token"]}
        )
    claims = await world.tokens.verify(answer.json()["access_token"])
    assert claims["roles"] == ("superuser",)


async def test_the_rights_of_an_account_service_are_renewed_too():
    tokens, store = TokenService(KeySet.from_secret(SECRET)), MemoryAccounts()
    accounts = AccountService(store, tokens, require_verified=False)
    AuthRoutes(tokens, accounts)
    made = await accounts.create("ann@example.com", roles=["editor"])
    pair = await tokens.issue(made.id, roles=["admin"])
    pair = await tokens.refresh(pair.refresh_token)
    assert (await tokens.verify(pair.access_token))["roles"] == ("editor",)


async def test_a_loader_of_ones_own_stays_and_two_kinds_of_accounts_need_one():
    world = World(People())
    AuthRoutes(world.tokens, world.accounts, delivery="cookie")
    with pytest.raises(ConfigurationError, match="Two kinds of accounts"):
        AuthRoutes(world.tokens, ManagedAccounts(People()))

    tokens = TokenService(KeySet.from_secret(SECRET), claims_loader=lambda _: None)
    AuthRoutes(tokens, ManagedAccounts(People()))
    AuthRoutes(tokens, ManagedAccounts(People()))


async def test_a_loader_that_raises_is_an_outage_and_changes_nothing(caplog):
    world = World(People())
    await world.users.seed()
    async with world.client() as client:
        pair = await log_in(client)
        people, world.users.people = world.users.people, None
        with caplog.at_level(logging.ERROR, "asgi_auth.sessions"):
            answer = await client.post(
                "/refresh", json={"refresh_token": pair["refresh_token"]}
            )
        assert answer.status_code == 503
        assert "claims_loader has failed" in caplog.text
        world.users.people = people
        again = await client.post(
            "/refresh", json={"refresh_token": pair["refresh_token"]}
        )
        assert again.status_code == 200

    world.users.people = None
    with pytest.raises(UnavailableError):
        await world.tokens.refresh(again.json()["refresh_token"])


async def test_people_register_with_a_model_of_ones_own():
    models = RouteShape(user=PersonOut, register=PersonIn)
    world = World(shape=models)
    async with world.client() as client:
        asked = {"username": "eve", "password": PASSWORD, "city": "Bern", "roles": "x"}
        answer = await client.post("/register", json=asked)
        assert answer.status_code == 201, answer.text
        assert answer.json() == {"id": 7, "username": "eve", "city": "Bern"}
        taken = await client.post("/register", json=asked)
        assert_problem(taken, 409, "account_exists")
        me = await client.get("/me", headers=bearer(await log_in(client, "eve")))
        assert me.json() == answer.json()
        odd = await client.post("/register", json={**asked, "username": "a@b.co"})
        assert_problem(odd, 400, "invalid_username")
    assert world.users.people[7].roles == []
    document = world.routes.openapi()
    schemas = document["components"]["schemas"]
    assert schemas["PersonIn"]["required"] == ["username", "password"]
    answers = document["paths"]["/me"]["get"]["responses"]
    reference = answers["200"]["content"]["application/json"]["schema"]["$ref"]
    assert reference.endswith("/PersonOut")
    assert "UserResponse" not in schemas


async def test_models_that_do_not_fit_say_so():
    with pytest.raises(ConfigurationError, match="needs password"):
        RouteShape(register=PersonOut)

    accounts = AccountService(MemoryAccounts(), World().tokens, require_verified=False)

    class Nameless(BaseModel):
        username: str
        password: str

    with pytest.raises(ConfigurationError, match="needs email"):
        AuthRoutes(World().tokens, accounts, shape=RouteShape(register=Nameless))

    class Tall(BaseModel):
        height: int

    world = World(shape=RouteShape(user=Tall))
    person = await world.users.seed()
    account = await world.accounts.find(person.id)
    with pytest.raises(ConfigurationError, match="Tall does not fit a user: height"):
        world.routes._context.shape.show(account, is_verified=None)


@pytest.mark.parametrize("camel_case", [False, True])
async def test_where_nothing_says_if_an_address_is_verified_me_is_null(camel_case):
    """A false would have an application ask its users to confirm their addresses."""
    people = People()
    hashed = await people.hasher.hash(PASSWORD)
    people.people[7] = SimpleNamespace(id=7, username="bob", hashed_password=hashed)
    world = World(people, shape=RouteShape(camel_case=camel_case))
    async with world.client() as client:
        asked = {"username": "bob", "password": PASSWORD}
        pair = (await client.post("/login", json=asked)).json()
        token = pair["accessToken" if camel_case else "access_token"]
        me = await client.get("/me", headers=bearer({"access_token": token}))

    assert me.json() == {"id": "7", "username": "bob", "verified": None, "roles": []}


async def test_the_whole_life_of_a_managed_user():
    world = World(mail=True)
    async with world.client() as client:
        asked = {"username": "eve", "email": "Eve@Example.com", "password": PASSWORD}
        answer = await client.post("/register", json=asked)
        assert answer.json()["email"] == "eve@example.com"
        await world.outbox.drain()
        token = world.mailbox.token("verify")
        answer = await client.post(
            "/verify", json={"token": token, "password": PASSWORD}
        )
        assert answer.json()["verified"] is True
        pair = await log_in(client, "eve")
        change = {"current_password": PASSWORD, "new_password": PASSWORD + "-new"}
        answer = await client.post(
            "/password/change", json=change, headers=bearer(pair)
        )
        assert answer.status_code == 204, answer.text
        world.clock.advance(1)
        await client.post("/password/forgot", json={"email": "eve@example.com"})
        await world.outbox.drain()
        reset = {"token": world.mailbox.token("reset"), "password": PASSWORD + "-two"}
        assert (await client.post("/password/reset", json=reset)).status_code == 204
        again = await client.post("/password/reset", json=reset)
        assert_problem(again, 401, "token_revoked")
        world.clock.advance(1)
        pair = await log_in(client, "eve", PASSWORD + "-two")
        email = {"email": "new@example.com", "password": PASSWORD + "-two"}
        await client.post("/email/change", json=email, headers=bearer(pair))
        await world.outbox.drain()
        confirm = {
            "token": world.mailbox.token("change_email"),
            "password": PASSWORD + "-two",
        }
        answer = await client.post("/email/confirm", json=confirm)
        assert answer.json()["email"] == "new@example.com"
        gone = await client.request(
            "DELETE", "/me", json={"password": "wrong"}, headers=bearer(pair)
        )
        assert_problem(gone, 401, "invalid_credentials")
        world.clock.advance(301)
        gone = await client.request("DELETE", "/me", headers=bearer(pair))
        assert_problem(gone, 401, "insufficient_user_authentication")
        assert 'max_age="300"' in gone.headers["www-authenticate"]
        right = {"password": PASSWORD + "-two"}
        gone = await client.request("DELETE", "/me", json=right, headers=bearer(pair))
        assert gone.status_code == 204
        me = await client.get("/me", headers=bearer(pair))
        assert_problem(me, 401, "token_revoked")
    assert world.users.people == {}


async def test_administration_works_on_managed_users():
    world = World()
    for name in ("ann", "bob", "cyd"):
        await world.users.seed(name)
    page = await world.accounts.list(limit=2)
    assert [account.username for account in page] == ["ann", "bob"]
    page = await world.accounts.list(after=page[-1].id, limit=2)
    assert [account.username for account in page] == ["cyd"]
    await world.accounts.set_roles(7, ["admin"])
    assert world.users.people[7].roles == ["admin"]
    await world.accounts.disable(7)
    assert world.users.people[7].is_active is False
    await world.accounts.delete(7)
    assert 7 not in world.users.people


class Identified(People):
    id_type = UUID


async def test_ids_that_are_uuids_have_one_spelling():
    users, number = Identified(), uuid4()
    users.people[number] = Person(number, "bob", None, None)
    assert await users.get_user_by_subject(str(number)) is users.people[number]
    assert await users.get_user_by_subject(str(number).upper()) is None
    assert await users.get_user_by_subject("7") is None


async def test_a_hash_that_was_renewed_at_the_log_in_does_not_refuse_it():
    """The user that was looked up before has the old hash, and is another object."""
    world = World()
    person = await world.users.seed()
    world.users.hasher = bcrypt_too()
    old = bcrypt.using(rounds=4).hash(PASSWORD)
    person.hashed_password = old
    people = world.users.people

    async def detached(login):
        found = next((p for p in people.values() if p.username == login), None)
        return found and copy(found)

    async def save(user, account):
        people[user.id].hashed_password = account.password_hash

    world.users.get_user_by_login = detached
    world.users.save_user = save
    async with world.client() as client:
        await log_in(client)
    assert people[7].hashed_password.startswith("$argon2id$")


def bcrypt_too():
    context = CryptContext(
        schemes=["argon2", "bcrypt"],
        deprecated="auto",
        argon2__memory_cost=64,
        argon2__time_cost=1,
        argon2__parallelism=1,
        bcrypt__rounds=4,
    )
    return PasswordHasher(context=context)


class Displayed(Managing):
    """Users have a name to show, and log in with their address."""

    get_user_by_login = AuthManager.get_user_by_login


async def test_a_name_that_is_only_shown_is_not_taken_for_a_log_in():
    world = World(Displayed())
    person = await world.users.seed("Bob the Builder")
    person.email = "bob@example.com"
    account = await world.accounts.confirm_password("7", PASSWORD)
    assert (account.username, account.email) == (None, "bob@example.com")


class Odd(People):
    answer: Any = None

    def account_of(self, user):
        return self.answer


@pytest.mark.parametrize("answer", [None, {"id": 7}, "7", True])
async def test_a_manager_that_returns_other_types_is_a_mistake(answer):
    world = World(Odd())
    await world.users.seed()
    world.users.answer = answer
    with pytest.raises(ConfigurationError, match="must return an Account"):
        await world.accounts.authenticate("bob", PASSWORD)


async def test_users_without_id_or_name_are_a_mistake():
    world = World(People())
    person = await world.users.seed()
    person.id = None
    with pytest.raises(ConfigurationError, match="has no id"):
        await world.accounts.authenticate("bob", PASSWORD)

    world.users.people[7] = Person(7, "", None, None)
    with pytest.raises(ConfigurationError, match="neither username nor email"):
        await world.accounts.confirm_password("7", PASSWORD)


@pytest.mark.parametrize("wrong", [None, "", 7.5, True, "a\0"])
def test_an_id_that_cannot_be_a_subject_is_a_mistake(wrong):
    with pytest.raises(ConfigurationError, match="subject"):
        Account(id=wrong)


class Untyped(People):
    """Ids are ints, and nobody has said so."""

    id_type = str

    async def get_user_by_id(self, user_id):
        return self.people.get(user_id)


async def test_ids_of_another_type_are_a_mistake_and_no_401_later():
    world = World(Untyped())
    await world.users.seed()
    with pytest.raises(ConfigurationError, match="id_type = int"):
        await world.accounts.authenticate("bob", PASSWORD)

    async def by_text(user_id):
        return world.users.people.get(int(user_id))

    world.users.get_user_by_id = by_text
    assert (await world.accounts.authenticate("bob", PASSWORD)).id == "7"


async def test_users_are_shown_by_id_or_by_what_they_log_in_with():
    world = World()
    await world.users.seed()
    assert (await world.accounts.show("bob")).id == "7"
    assert (await world.accounts.show("7")).username == "bob"
    with pytest.raises(UnknownAccountError):
        await world.accounts.show("nobody")


async def test_who_changes_users_needs_tokens():
    with pytest.raises(ConfigurationError, match="tokens"):
        ManagedAccounts(Managing())


@pytest.mark.parametrize(
    ("call", "protocol"),
    [
        (lambda a: a.register("a@b.co", PASSWORD), "AddsUsers"),
        (lambda a: a.change_password("7", PASSWORD, PASSWORD + "2"), "SavesUsers"),
        (lambda a: a.delete("7"), "DeletesUsers"),
        (lambda a: a.list(), "ListsUsers"),
    ],
)
async def test_what_a_manager_cannot_do_is_said(call, protocol):
    world = World(People())
    await world.users.seed()
    with pytest.raises(ConfigurationError, match=protocol):
        await call(world.accounts)


async def test_a_change_in_between_is_not_overwritten():
    world = World()
    person = await world.users.seed()
    account = await world.accounts.find("7")
    person.email = "other@example.com"
    with pytest.raises(StaleAccountError):
        await world.accounts._store.update(account)
