"""What a reading of administration, own users and acting for others found."""

from __future__ import annotations

import asyncio
import base64
import threading
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest
import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute

from asgi_auth import (
    AuthenticationMiddleware,
    Event,
    Grant,
    InvalidCredentialsError,
    KeySet,
    Principal,
    RevokedTokenError,
    TokenService,
    UnknownSubjectError,
)
from asgi_auth._logs import escaped
from asgi_auth.accounts import (
    AuthManager,
    DuplicateAccountError,
    InvalidEmailError,
    ManagedAccounts,
    Outbox,
    SQLAlchemyUsers,
    StaleAccountError,
    UnknownAccountError,
    UserColumns,
)
from asgi_auth.accounts.basic import BasicBackend
from asgi_auth.accounts.columns import as_id
from asgi_auth.accounts.errors import InvalidUsernameError
from asgi_auth.backends.apikeys import APIKeys, MemoryAPIKeys
from asgi_auth.events import Events
from asgi_auth.integrations.starlette import install
from asgi_auth.ratelimit import RateLimiter
from asgi_auth.routes import AuthRoutes, RouteShape
from asgi_auth.routes.errors import MalformedBodyError
from asgi_auth.routes.shape import data_of
from asgi_auth.stores import SQLAuditLog
from tests.accounts.conftest import Mailbox
from tests.asgi import Echo, converse, run
from tests.lifetime.test_lifetime import echo
from tests.routes.world import PASSWORD, World, cheap_hasher
from tests.websocket.peer import Peer, guarded, token_service

pytestmark = pytest.mark.anyio


class Base(DeclarativeBase):
    pass


class Person(Base):
    __tablename__ = "people"

    key: Mapped[int] = mapped_column(primary_key=True)
    login: Mapped[str] = mapped_column(sa.String(40), unique=True)
    mail: Mapped[str | None] = mapped_column(sa.String(40), unique=True)
    secret: Mapped[str]
    may_enter: Mapped[bool] = mapped_column(default=True)
    is_checked: Mapped[bool] = mapped_column(default=False)
    is_admin: Mapped[bool] = mapped_column(default=False)
    credit: Mapped[int] = mapped_column(default=0)


COLUMNS = UserColumns(
    id="key",
    username="login",
    email="mail",
    password="secret",
    active="may_enter",
    verified="is_checked",
    flags={"admin": "is_admin"},
)


class Shop:
    """An application whose columns are called otherwise than anybody expects."""

    def __init__(self, engine) -> None:
        self.sessions = async_sessionmaker(engine)
        self.users = SQLAlchemyUsers(Person, self.sessions, COLUMNS)
        self.users.hasher = cheap_hasher()
        self.tokens = TokenService(KeySet.generate("HS256"), issuer="https://shop")
        self.mailbox, self.outbox = Mailbox(), Outbox(delay=0)

    def accounts(self, **options):
        return ManagedAccounts(
            self.users,
            tokens=self.tokens,
            send_message=self.mailbox,
            outbox=self.outbox,
            **options,
        )

    async def add(self, login, **more):
        hashed = await self.users.hasher.hash(PASSWORD)
        async with self.sessions() as session:
            person = Person(login=login, secret=hashed, **more)
            session.add(person)
            await session.flush()
            number = person.key
            await session.commit()
        return number


@pytest.fixture
async def shop(tmp_path):
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/shop.db")
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    yield Shop(engine)
    await engine.dispose()


def basic(login):
    pair = base64.b64encode(f"{login}:{PASSWORD}".encode())
    return b"authorization", b"Basic " + pair


# ------------------------------------------------------------ own users, and Basic


async def test_who_is_disabled_in_another_column_has_no_basic_either(shop):
    number = await shop.add("ann", is_admin=True)
    echo = Echo()
    app = AuthenticationMiddleware(echo, BasicBackend(shop.users), required=True)
    assert (await run(app, headers=[basic("ann")])).status == 200
    principal = echo.scopes[0]["auth"]
    assert (principal.subject, principal.roles) == (str(number), {"admin"})
    await shop.accounts().disable(number)
    assert (await run(app, headers=[basic("ann")])).status == 401
    backend = BasicBackend(shop.users)
    with pytest.raises(RevokedTokenError):
        await backend._renew(principal)


# ------------------------------------------------------- changes that meet each other


async def test_a_new_hash_brings_no_role_back(shop):
    bob = await shop.add("bob", is_admin=True)
    known = await shop.users.get_user_by_id(bob)
    await shop.accounts().set_roles(bob, [])
    await shop.users.save_password_hash(known, "new")
    now = await shop.users.get_user_by_id(bob)
    assert (now.is_admin, now.secret) == (False, "new")


async def test_who_is_changed_during_the_hashing_is_not_changed_back(shop):
    bob = await shop.add("bob")
    accounts, inner = shop.accounts(), shop.users.hasher
    changed = []

    async def verify(password, stored):
        match = await inner.verify(password, stored)
        if not changed:
            changed.append(stored)
            hashed = await inner.hash("quiet-fox-7-moor")
            user = await shop.users.get_user_by_id(bob)
            account = replace(shop.users.account_of(user), password_hash=hashed)
            await shop.users.save_user(user, account)
        return replace(match, replacement=await inner.hash(password))

    shop.users.hasher = SimpleNamespace(verify=verify)
    await shop.users.verify_password("bob", PASSWORD)
    shop.users.hasher = inner
    assert await accounts.authenticate("bob", "quiet-fox-7-moor")
    with pytest.raises(InvalidCredentialsError):
        await accounts.authenticate("bob", PASSWORD)


async def test_a_hash_that_cannot_be_replaced_refuses_nobody(shop):
    await shop.add("bob")
    inner = shop.users.hasher

    async def verify(password, stored):
        match = await inner.verify(password, stored)
        return replace(match, replacement="another")

    async def save(user, password_hash):
        raise StaleAccountError

    shop.users.hasher = SimpleNamespace(verify=verify)
    shop.users.save_password_hash = save
    assert await shop.users.authenticate("bob", PASSWORD)


async def test_roles_from_elsewhere_are_in_no_changes_way(shop):
    class Users(SQLAlchemyUsers):
        def account_of(self, user):
            account = super().account_of(user)
            return replace(account, roles=(*account.roles, "member"))

    bob = await shop.add("bob")
    shop.users = Users(Person, shop.sessions, COLUMNS)
    shop.users.hasher = cheap_hasher()
    accounts = shop.accounts()
    await accounts.change_password(str(bob), PASSWORD, "quiet-fox-7-moor")
    account = await accounts.set_roles(bob, ["admin"])
    assert account.roles == ("admin", "member")
    account = await accounts.set_roles(bob, [])
    assert account.roles == ("member",)


# ------------------------------------------------------------------ whose address


async def test_an_address_in_capitals_is_nobody_elses(shop):
    """Two rows for one address, and its owner could not log in any more."""
    ann = await shop.add("ann", mail="Ann@Example.com")
    eve = await shop.add("eve")
    accounts = shop.accounts()
    with pytest.raises(DuplicateAccountError):
        await accounts.register("ann@example.com", PASSWORD, username="other")
    user = await shop.users.get_user_by_id(eve)
    account = replace(shop.users.account_of(user), email="ann@example.com")
    with pytest.raises(DuplicateAccountError):
        await shop.users.save_user(user, account)
    assert (await accounts.authenticate("ann@example.com", PASSWORD)).id == str(ann)
    user = await shop.users.get_user_by_id(ann)
    account = replace(shop.users.account_of(user), email="ann@example.com")
    await shop.users.save_user(user, account)
    assert (await shop.users.get_user_by_id(ann)).mail == "ann@example.com"


async def test_a_new_name_does_not_tell_whose_an_address_is(shop):
    await shop.add("ann", mail="ann@example.com", is_checked=True)
    routes = AuthRoutes(
        shop.tokens,
        shop.accounts(require_verified=True),
        limiter=RateLimiter(insecure_unlimited=True),
    )
    transport = httpx2.ASGITransport(app=routes)
    answers = []
    async with httpx2.AsyncClient(transport=transport, base_url="https://a") as client:
        for name, mail in (("eve", "ann@example.com"), ("bob", "bob@example.com")):
            asked = {"username": name, "email": mail, "password": PASSWORD}
            answers.append(await client.post("/register", json=asked))

        asked = {"username": "ann", "email": "x@example.com", "password": PASSWORD}
        assert (await client.post("/register", json=asked)).status_code == 409
        asked["email"] = "ann@example.com"
        assert (await client.post("/register", json=asked)).status_code == 409

    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].content == answers[1].content
    await shop.outbox.drain()
    told = [(kind, account.email) for kind, account, _ in shop.mailbox.messages]
    assert told == [("exists", "ann@example.com"), ("verify", "bob@example.com")]


# ------------------------------------------------------------------- what callers send


async def test_a_model_that_lets_others_in_sets_no_column(shop):
    class Open(BaseModel):
        model_config = ConfigDict(extra="allow")

        username: str
        password: str

    models = RouteShape(register=Open)
    routes = AuthRoutes(
        shop.tokens,
        shop.accounts(),
        shape=models,
        limiter=RateLimiter(insecure_unlimited=True),
    )
    transport = httpx2.ASGITransport(app=routes)
    async with httpx2.AsyncClient(transport=transport, base_url="https://a") as client:
        asked = {"username": "eve", "password": PASSWORD, "credit": 10**6, "moon": 1}
        answer = await client.post("/register", json=asked)
    assert answer.status_code == 201, answer.text
    assert (await shop.users.get_user_by_login("eve")).credit == 0


@pytest.mark.parametrize("note", ["a\0b", ["a", "\0"], {"\0": 1}, {"a": ["\0"]}])
def test_a_registration_keeps_no_nul(note):
    class Noted(BaseModel):
        email: str
        password: str
        note: Any

    with pytest.raises(MalformedBodyError):
        data_of(Noted(email="a", password="b", note=note))
    kept = {"note": {"a": ["\\u0000", 1, None]}}
    assert data_of(Noted(email="a", password="b", **kept)) == kept


async def test_a_text_that_databases_lack_is_nobodys(shop):
    for text in ("\0", "a@b.example\0"):
        assert await shop.users.get_user_by_login(text) is None
        with pytest.raises(UnknownAccountError):
            await shop.accounts().show(text)
    with pytest.raises(ValueError, match="no id"):
        as_id("\0", str)


async def test_what_is_too_long_for_its_column_is_refused_and_not_shown(shop):
    accounts = shop.accounts()
    with pytest.raises(InvalidUsernameError):
        await accounts.register("", PASSWORD, username="x" * 41)
    with pytest.raises(InvalidEmailError):
        await accounts.register(f"{'x' * 41}@a.example", PASSWORD, username="x")


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 107691503505154325456])
async def test_an_id_with_too_many_digits_is_nobodys(shop, number):
    """The subjects of some providers are such numbers."""
    assert await shop.users.get_user_by_subject(str(number)) is None
    assert await shop.accounts().list(after=str(number)) == []


async def test_what_drivers_say_of_a_large_number_is_no_crash():
    class Users(AuthManager):
        id_type = int

        async def get_user_by_email(self, email):
            return None

        async def get_user_by_id(self, user_id):
            raise OverflowError

    assert await Users().get_user_by_subject("9" * 30) is None


# ------------------------------------------------------------------- who is deleted


@pytest.mark.parametrize("verb", ["disable", "delete"])
async def test_a_key_that_is_made_meanwhile_ends_too(verb):
    world = World()
    keys = APIKeys(MemoryAPIKeys(), clock=world.clock)
    account = await world.add()
    made = []

    async def race(subject):
        if not made:
            made.append(await keys.generate(subject))

    world.accounts.also_end(keys.revoke_subject)
    world.accounts.also_end(race)
    await getattr(world.accounts, verb)(account.id)
    with pytest.raises(RevokedTokenError):
        await keys.admit(made[0].text.encode())


async def test_a_name_that_has_gone_to_another_confirms_nobody(shop):
    ann, eve = await shop.add("ann"), await shop.add("eve")
    accounts = shop.accounts()

    async def find(login):
        return await shop.users.get_user_by_id(eve)

    shop.users.get_user_by_login = find
    with pytest.raises(InvalidCredentialsError):
        await accounts.confirm_password(str(ann), PASSWORD)


# ---------------------------------------------------------------- acting for others


async def test_an_actor_without_a_session_ends_with_its_subject():
    tokens = token_service()
    actor = Principal(subject="root", issuer=tokens.issuer, is_authenticated=True)
    token = await tokens.impersonate("ann", actor=actor, grant=Grant())
    await tokens.verify(token)
    await tokens.revoke_subject("root")
    with pytest.raises(RevokedTokenError):
        await tokens.verify(token)


async def test_nobody_acts_for_who_is_gone_whatever_the_rights():
    tokens = token_service(claims_loader={"ann": Grant(["own"])}.get)
    root = Principal(subject="root", issuer=tokens.issuer, is_authenticated=True)
    with pytest.raises(UnknownSubjectError):
        await tokens.impersonate("bob", actor=root, grant=Grant(["read"]))
    token = await tokens.impersonate("ann", actor=root, grant=Grant(["read"]))
    assert (await tokens.verify(token))["scope"] == "read"


@pytest.mark.parametrize("session_id", [None, "S"])
async def test_a_socket_ends_with_who_acts_in_it(session_id):
    tokens = token_service()
    if session_id:
        session_id = (await tokens.issue("root")).session_id
    actor = Principal(
        subject="root",
        issuer=tokens.issuer,
        session_id=session_id,
        is_authenticated=True,
    )
    token = await tokens.impersonate("ann", actor=actor, grant=Grant())
    async with Peer(guarded(echo, tokens), token) as peer:
        await tokens.revoke_subject("root")
        assert await peer.closed() == (3000, "token_revoked")


# ------------------------------------------------------- what install() makes public


async def test_no_socket_of_the_app_is_public_where_the_routes_are():
    async def anything(socket):
        await socket.accept()
        await socket.close()

    world = World()
    app = Starlette(routes=[WebSocketRoute("/{tenant}/{room}", anything)])
    install(app, world.tokens, required=True, routes=world.routes)
    for path in ("/auth/login", "/any/room"):
        (message,) = await converse(app, path)
        assert message["type"] == "websocket.close"


# ----------------------------------------------------------------- floods and listeners


@pytest.mark.parametrize("is_async", [False, True])
async def test_a_flood_of_refusals_leaves_room_for_what_matters(is_async):
    go, got = threading.Event(), []

    def hear(event):
        go.wait(10)
        got.append(event.name)

    async def hear_async(event):
        got.append(event.name)

    events = Events(hear_async if is_async else hear)
    for _ in range(2000):
        events.emit(Event(name="request.refused", at=1.0))
    events.emit(Event(name="account.deleted", at=1.0))
    go.set()
    for _ in range(500):
        if "account.deleted" in got:
            break
        await asyncio.sleep(0.01)
    assert "account.deleted" in got


async def test_refusals_fill_no_audit_log(tmp_path):
    log = SQLAuditLog(f"sqlite:///{tmp_path}/audit.db")
    await log.create_schema()
    for name in ("request.refused", "credential.ignored", "limit.exceeded", "x.y"):
        await log(Event(name=name, at=1.0))
    assert [entry.event.name for entry in await log.entries()] == ["x.y"]
    assert await log.entries(subject="\ud800") == []
    await log.aclose()


def test_the_mark_of_arabic_letters_turns_no_line_round():
    assert escaped("a\u061cb") == "a\\u061cb"
