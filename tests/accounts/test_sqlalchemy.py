"""Users in an application's declarative model: FastAPI on SQLite and PostgreSQL."""

from __future__ import annotations

import logging
import os
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID, uuid4

import httpx2
import pytest
import sqlalchemy as sa
from fastapi import Depends, FastAPI
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from asgi_auth import ConfigurationError, JWTBackend, KeySet, TokenService
from asgi_auth.accounts import (
    AccountDisabledError,
    DuplicateAccountError,
    ManagedAccounts,
    Outbox,
    SQLAlchemyUsers,
    StaleAccountError,
    UserColumns,
)
from asgi_auth.errors import InvalidCredentialsError, UnavailableError
from asgi_auth.integrations.fastapi import current_principal, install, requires
from asgi_auth.ratelimit import RateLimiter
from asgi_auth.routes import AuthRoutes, RouteShape
from tests.accounts.conftest import Mailbox
from tests.accounts.own_engine import own_engine
from tests.routes.world import cheap_hasher

pytestmark = pytest.mark.anyio

PASSWORD = "violet-otter-42-lamp"


class Base(DeclarativeBase):
    pass


class Person(Base):
    __tablename__ = f"people_{os.getpid()}"

    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(unique=True)
    email: Mapped[str | None] = mapped_column(unique=True)
    hashed_password: Mapped[str]
    is_active: Mapped[bool] = mapped_column(default=True)
    verified_at: Mapped[datetime | None] = mapped_column(sa.DateTime(timezone=True))
    is_admin: Mapped[bool] = mapped_column(default=False)
    city: Mapped[str] = mapped_column(default="")


class Note(Base):
    __tablename__ = f"notes_{os.getpid()}"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    of: Mapped[int] = mapped_column(sa.ForeignKey(Person.id))


class PersonOut(BaseModel):
    id: int
    username: str
    city: str


class PersonIn(BaseModel):
    username: str
    email: str | None = None
    password: str
    city: str


COLUMNS = UserColumns(
    username="username", verified="verified_at", flags={"admin": "is_admin"}
)


class Shop:
    """The application: own users, names, ids that are numbers, and administrators."""

    def __init__(self, engine) -> None:
        self.engine = engine
        self.sessions = async_sessionmaker(engine)
        self.users = SQLAlchemyUsers(Person, self.sessions, COLUMNS)
        self.users.hasher = cheap_hasher()
        self.tokens = TokenService(KeySet.generate("ES256"), issuer="https://shop")
        self.mailbox, self.outbox = Mailbox(), Outbox(delay=0)
        self.accounts = ManagedAccounts(
            self.users,
            tokens=self.tokens,
            send_message=self.mailbox,
            outbox=self.outbox,
        )
        self.routes = AuthRoutes(
            self.tokens,
            self.accounts,
            shape=RouteShape(user=PersonOut, register=PersonIn),
            limiter=RateLimiter(insecure_unlimited=True),
        )
        self.app = self._app()

    def _app(self):
        app = FastAPI()
        backend = JWTBackend(self.tokens, sources=self.routes.sources)
        install(app, backend, public_paths=self.routes.public_paths("/auth"))
        app.mount("/auth", self.routes)
        admin = Depends(requires(roles="admin", allow_actor=False))

        @app.get("/people", dependencies=[admin])
        async def people(search: str = "") -> list[str]:
            page = await self.accounts.list(search=search)
            return [account.username for account in page]

        @app.post("/people/{number}/disable", dependencies=[admin])
        async def disable(number: int) -> bool:
            return (await self.accounts.disable(number)).disabled

        @app.post("/act-for/{number}", dependencies=[admin])
        async def act(
            number: int, caller: Annotated[Any, Depends(current_principal)]
        ) -> str:
            return await self.tokens.impersonate(number, actor=caller)

        return app

    def client(self):
        transport = httpx2.ASGITransport(app=self.app)
        return httpx2.AsyncClient(transport=transport, base_url="https://shop.example")

    async def add(self, username, **more):
        hashed = await self.users.hasher.hash(PASSWORD)
        async with self.sessions() as session:
            person = Person(username=username, hashed_password=hashed, **more)
            session.add(person)
            await session.flush()
            number = person.id
            await session.commit()
        return number


@pytest.fixture(params=["sqlite", "postgres"])
async def shop(request):
    async with own_engine(request, Base.metadata) as engine:
        yield Shop(engine)


async def log_in(client, username, password=PASSWORD):
    asked = {"username": username, "password": password}
    answer = await client.post("/auth/login", json=asked)
    assert answer.status_code == 200, answer.text
    client.headers["authorization"] = f"Bearer {answer.json()['access_token']}"
    return answer.json()


async def test_people_register_log_in_change_and_go(shop):
    async with shop.client() as client:
        asked = {
            "username": "eve",
            "email": "Eve@Example.com",
            "password": PASSWORD,
            "city": "Bern",
        }
        answer = await client.post("/auth/register", json=asked)
        number = answer.json()["id"]
        assert answer.json() == {"id": number, "username": "eve", "city": "Bern"}
        assert (await client.post("/auth/register", json=asked)).status_code == 409
        await shop.outbox.drain()
        proof = {"token": shop.mailbox.token("verify"), "password": PASSWORD}
        assert (await client.post("/auth/verify", json=proof)).status_code == 200
        await log_in(client, "eve")
        change = {"current_password": PASSWORD, "new_password": f"{PASSWORD}-2"}
        answer = await client.post("/auth/password/change", json=change)
        assert answer.status_code == 204
        by_mail = {"email": "EVE@example.com", "password": f"{PASSWORD}-2"}
        assert (await client.post("/auth/login", json=by_mail)).status_code == 200
        assert (await client.delete("/auth/me")).status_code == 204
        assert (await client.get("/auth/me")).status_code == 401
    assert await shop.users.get_user_by_id(number) is None


async def test_administrators_administer_and_act_for_others(shop):
    bob = await shop.add("bob", email="bob@example.com")
    await shop.add("root", is_admin=True)
    async with shop.client() as client, shop.client() as bobs:
        pair = await log_in(bobs, "bob")
        assert (await bobs.get("/people")).status_code == 403
        await log_in(client, "root")
        assert (await client.get("/people")).json() == ["bob", "root"]
        assert (await client.get("/people?search=BOB@")).json() == ["bob"]
        own = client.headers["authorization"]
        token = (await client.post(f"/act-for/{bob}")).json()
        client.headers["authorization"] = f"Bearer {token}"
        assert (await client.get("/auth/me")).json()["username"] == "bob"
        assert (await client.delete("/auth/me")).json()["code"] == "actor_refused"
        client.headers["authorization"] = own
        assert (await client.post(f"/people/{bob}/disable")).json() is True
        assert (await bobs.get("/auth/me")).status_code == 401
        again = {"refresh_token": pair["refresh_token"]}
        assert (await bobs.post("/auth/refresh", json=again)).status_code == 401
    with pytest.raises(AccountDisabledError):
        await shop.accounts.authenticate("bob", PASSWORD)


async def test_roles_are_flags_and_others_have_no_place(shop):
    bob = await shop.add("bob")
    pair = await shop.tokens.issue(bob)
    account = await shop.accounts.set_roles(bob, ["admin"])
    assert account.roles == ("admin",)
    assert (await shop.users.get_user_by_id(bob)).is_admin
    with pytest.raises(ConfigurationError, match="no place for the role 'editor'"):
        await shop.accounts.set_roles(bob, ["editor"])
    assert await shop.tokens.sessions(bob) == []
    assert pair


async def test_pages_and_one_spelling_of_an_id(shop):
    numbers = [await shop.add(f"u{number}") for number in range(5)]
    page = await shop.accounts.list(limit=3)
    rest = await shop.accounts.list(after=page[-1].id, limit=3)
    assert [int(account.id) for account in (*page, *rest)] == numbers
    assert await shop.accounts.list(after="x") == []
    assert await shop.users.get_user_by_subject(f" {numbers[0]}") is None


async def test_of_two_changes_at_once_one_is_refused(shop):
    bob = await shop.add("bob")
    first = await shop.users.get_user_by_id(bob)
    second = await shop.users.get_user_by_id(bob)
    account = shop.users.account_of(first)
    await shop.users.save_user(first, replace(account, password_hash="one"))
    with pytest.raises(StaleAccountError):
        await shop.users.save_user(second, replace(account, password_hash="two"))
    assert (await shop.users.get_user_by_id(bob)).hashed_password == "one"


async def test_a_taken_address_is_refused_and_shows_no_row(shop):
    await shop.add("ann", email="ann@example.com")
    bob = await shop.users.get_user_by_id(await shop.add("bob"))
    account = shop.users.account_of(bob)
    with pytest.raises(DuplicateAccountError) as raised:
        await shop.users.save_user(bob, replace(account, email="ann@example.com"))
    assert raised.value.__context__ is None


async def test_what_cannot_be_is_said(shop):
    with pytest.raises(ConfigurationError, match="Person has no 'password_hash'"):
        SQLAlchemyUsers(Person, shop.sessions, UserColumns(password="password_hash"))
    with pytest.raises(ConfigurationError, match="email or username"):
        SQLAlchemyUsers(Person, shop.sessions, UserColumns(email=None))
    for data in ({"is_admin": True}, {"planet": "x"}):
        with pytest.raises(ConfigurationError, match="from a registration"):
            await shop.accounts.register("", PASSWORD, username="x", data=data)


async def test_two_rows_with_one_address_are_a_mistake(shop):
    await shop.add("ann", email="ann@example.com")
    await shop.add("ann2", email="Ann@Example.com")
    with pytest.raises(ConfigurationError, match="Two rows of Person"):
        await shop.accounts.authenticate("ann@example.com", PASSWORD)
    assert await shop.accounts.authenticate("ann2", PASSWORD)
    with pytest.raises(InvalidCredentialsError):
        await shop.accounts.authenticate("nobody", PASSWORD)


async def test_a_user_on_whom_rows_hang_is_not_deleted_in_silence(shop):
    bob = await shop.add("bob")
    if shop.engine.dialect.name == "sqlite":
        return  # It does not look at foreign keys unless told to.
    async with shop.sessions() as session:
        session.add(Note(of=bob))
        await session.commit()
    with pytest.raises(ConfigurationError, match="let their foreign keys"):
        await shop.accounts.delete(bob)


async def test_a_database_that_is_down_is_an_outage():
    engine = create_async_engine("postgresql+asyncpg://u:hunter2@127.0.0.1:1/x")
    users = SQLAlchemyUsers(Person, async_sessionmaker(engine), COLUMNS)
    with pytest.raises(UnavailableError):
        await users.get_user_by_login("bob")
    await engine.dispose()


# ------------------------------------------------------------ what SQLAlchemy logs


@pytest.mark.parametrize(
    ("options", "level", "warns"),
    [
        ({"echo": True}, None, True),
        ({}, logging.INFO, True),
        ({"hide_parameters": True}, logging.DEBUG, True),
        ({"echo": True, "hide_parameters": True}, None, False),
        ({}, None, False),
    ],
)
async def test_an_engine_that_logs_what_statements_say_of_users_is_one_warning(
    tmp_path, caplog, options, level, warns
):
    if level is not None:
        caplog.set_level(level, "sqlalchemy.engine")

    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/a.db", **options)
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)

    users = SQLAlchemyUsers(Person, async_sessionmaker(engine), COLUMNS)
    for _ in range(3):
        assert await users.get_user_by_login("ann@example.com") is None

    await engine.dispose()
    lines = [r.getMessage() for r in caplog.records if r.name.startswith("asgi_auth")]
    assert len(lines) == warns
    assert all(f"values of Person on the database {tmp_path}" in each for each in lines)
    # Why there is a warning.
    is_written = "ann@example.com" in caplog.text
    assert is_written is (warns and "hide_parameters" not in options)


async def test_sessions_that_do_not_say_which_engine_they_have_work(shop):
    class Sessions:
        def __init__(self) -> None:
            self.inner = shop.sessions()

        async def __aenter__(self):
            session = await self.inner.__aenter__()
            return Narrow(session)

        async def __aexit__(self, *error):
            return await self.inner.__aexit__(*error)

    class Narrow:
        def __init__(self, session) -> None:
            self.execute, self.expunge_all = session.execute, session.expunge_all

    await shop.add("ann")
    users = SQLAlchemyUsers(Person, Sessions, COLUMNS)
    assert (await users.get_user_by_login("ann")).username == "ann"


# ------------------------------------------------------------------------- readiness


class _Later(DeclarativeBase):
    pass


class Later(_Later):
    """The same table, as the next release has it."""

    __tablename__ = Person.__tablename__

    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str]
    hashed_password: Mapped[str] = mapped_column("phash", deferred=True)
    is_active: Mapped[bool]


class Other(_Later):
    """A table that is not there."""

    __tablename__ = "nobody_made_it"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str]
    hashed_password: Mapped[str]
    is_active: Mapped[bool]


async def test_a_table_with_all_columns_serves_and_no_row_is_read(shop):
    await shop.add("ann")
    said = []
    engine = shop.engine.sync_engine
    sa.event.listen(engine, "after_cursor_execute", lambda *args: said.append(args))
    await shop.users.ping()
    ((_, _, statement, *_),) = said
    for name in (*COLUMNS.names(), "city"):
        assert f".{name}" in statement

    assert "WHERE " in statement


async def test_a_column_that_is_missing_is_found_before_a_log_in(shop):
    """One that is loaded later only, too: no look-up of a user would ask for it."""
    columns = UserColumns(email=None, username="username")
    users = SQLAlchemyUsers(Later, shop.sessions, columns)
    with pytest.raises(ConfigurationError, match="phash"):
        await users.ping()


async def test_a_table_that_is_missing_is_found_before_a_log_in(shop):
    users = SQLAlchemyUsers(Other, shop.sessions)
    with pytest.raises(ConfigurationError, match="a table is missing"):
        await users.ping()


async def test_a_database_that_is_down_is_found_before_a_log_in():
    engine = create_async_engine("postgresql+asyncpg://nobody@127.0.0.1:1/shop")
    users = SQLAlchemyUsers(Person, async_sessionmaker(engine), COLUMNS)
    with pytest.raises(UnavailableError, match="nothing listens there"):
        await users.ping()

    await engine.dispose()
