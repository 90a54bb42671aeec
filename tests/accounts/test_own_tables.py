"""Models without names or addresses, and tables that are not as their model is."""

from __future__ import annotations

import traceback

import httpx2
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import async_sessionmaker
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from asgi_auth import ConfigurationError, KeySet, TokenService
from asgi_auth.accounts import (
    AuthManager,
    ManagedAccounts,
    SQLAlchemyUsers,
    UserColumns,
)
from asgi_auth.ratelimit import RateLimiter
from asgi_auth.routes import AuthRoutes
from tests.accounts.conftest import Mailbox
from tests.accounts.own_engine import own_engine
from tests.routes.world import cheap_hasher

pytestmark = pytest.mark.anyio

PASSWORD = "violet-otter-42-lamp"
BOB = "bob@shop.example"


class Base(DeclarativeBase):
    pass


class Member(Base):
    """A user with an address and no name."""

    __tablename__ = "plain_members"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(unique=True)
    hashed_password: Mapped[str]
    is_active: Mapped[bool] = mapped_column(default=True)
    roles: Mapped[list[str]] = mapped_column(sa.JSON, default=list)


class Player(Base):
    """A user with a name and no address."""

    __tablename__ = "plain_players"

    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(unique=True)
    hashed_password: Mapped[str]
    is_active: Mapped[bool] = mapped_column(default=True)


@pytest.fixture(params=["sqlite", "postgres"])
async def engine(request):
    async with own_engine(request, Base.metadata) as engine:
        yield engine


class Club:
    """Log-in routes over one model."""

    def __init__(self, engine, model=Member, **columns) -> None:
        columns = columns or {"roles": "roles"}
        users = SQLAlchemyUsers(
            model, async_sessionmaker(engine), UserColumns(**columns)
        )
        users.hasher = cheap_hasher()
        tokens = TokenService(KeySet.generate("HS256"), issuer="https://club.example")
        self.accounts = ManagedAccounts(users, tokens=tokens)
        self.users, self.tokens = users, tokens
        self.routes = AuthRoutes(
            tokens, self.accounts, limiter=RateLimiter(insecure_unlimited=True)
        )

    def client(self):
        transport = httpx2.ASGITransport(app=self.routes)
        return httpx2.AsyncClient(transport=transport, base_url="https://club.example")

    @property
    def fields(self):
        """What the document says that /register takes."""
        document = self.routes.openapi()
        body = document["paths"]["/register"]["post"]["requestBody"]
        name = body["content"]["application/json"]["schema"]["$ref"].split("/")[-1]
        return [*document["components"]["schemas"][name]["properties"]]


async def test_users_without_names_register_with_their_addresses(engine):
    club = Club(engine)
    assert club.fields == ["email", "password"]
    async with club.client() as client:
        asked = {"email": "bob@shop.example", "password": PASSWORD}
        answer = await client.post("/register", json=asked)
        assert answer.status_code == 201, answer.text
        assert answer.json().get("username") is None
        assert (await client.post("/login", json=asked)).status_code == 200
        asked = {"username": "bob@shop.example", "password": PASSWORD}
        assert (await client.post("/register", json=asked)).status_code == 422


async def test_users_without_addresses_register_with_their_names(engine):
    club = Club(engine, Player, email=None, username="username")
    assert club.fields == ["username", "password"]
    async with club.client() as client:
        asked = {"username": "ann", "password": PASSWORD}
        assert (await client.post("/register", json=asked)).status_code == 201
        assert (await client.post("/login", json=asked)).status_code == 200


async def test_a_name_or_an_address_without_a_column_is_not_forgotten(engine):
    with pytest.raises(ConfigurationError, match="Member has no place for username"):
        await Club(engine).accounts.register(
            "ann@shop.example", PASSWORD, username="ann"
        )
    players = Club(engine, Player, email=None, username="username").accounts
    with pytest.raises(ConfigurationError, match="Player has no place for email"):
        await players.register("ann@shop.example", PASSWORD, username="ann")


async def test_no_mail_is_offered_to_users_without_addresses(engine):
    users = Club(engine, Player, email=None, username="username").users
    tokens = TokenService(KeySet.generate("HS256"))
    accounts = ManagedAccounts(users, tokens=tokens, send_message=Mailbox())
    assert "mail" not in accounts.can


async def test_a_look_up_of_your_own_counts_as_names(engine):
    class Own(SQLAlchemyUsers[Member]):
        async def get_user_by_login(self, login):
            return await self.get_user_by_email(f"{login}@shop.example")

        async def get_user_by_email(self, email):
            return await super().get_user_by_email(email)

    users = Own(Member, async_sessionmaker(engine))
    assert (users.has_names, users.has_addresses) == (True, True)


async def alter(engine, statement):
    async with engine.begin() as connection:
        await connection.execute(sa.text(statement))


async def refusal_of(club):
    """Return what a registration raises, and all that a log would show of it."""
    with pytest.raises(ConfigurationError) as raised:
        await club.accounts.register(BOB, PASSWORD)
    return str(raised.value), "".join(traceback.format_exception(raised.value))


async def test_a_column_that_is_missing_is_named_and_no_hash_is(engine):
    await alter(engine, "ALTER TABLE plain_members DROP COLUMN roles")
    for hides in (False, True):
        engine.sync_engine.hide_parameters = hides
        text, trace = await refusal_of(Club(engine))
        assert "a column is missing (plain_members.roles)" in text
        assert "run your migrations" in text
        assert "$argon2" not in trace
        assert BOB not in trace


async def test_a_table_that_is_missing_is_named_with_its_database(engine):
    await alter(engine, "DROP TABLE plain_members")
    text, trace = await refusal_of(Club(engine))
    assert "a table is missing (plain_members): run your migrations" in text
    assert engine.url.database in text
    assert "create_schema" not in text
    assert "$argon2" not in trace


async def test_what_else_is_wrong_with_a_table_shows_no_hash(engine):
    if engine.dialect.name == "sqlite":
        await alter(engine, "CREATE VIEW club AS SELECT * FROM plain_members")
    else:
        await alter(
            engine, "ALTER TABLE plain_members ALTER COLUMN is_active DROP DEFAULT"
        )
        await alter(
            engine,
            "ALTER TABLE plain_members ALTER COLUMN is_active TYPE integer "
            "USING is_active::integer",
        )
    table = sa.Table("club", sa.MetaData(), *(c._copy() for c in Member.__table__.c))
    name = engine.dialect.name == "sqlite"

    class View(DeclarativeBase):
        pass

    class Seen(View):
        __table__ = table

    try:
        _, trace = await refusal_of(Club(engine, Seen if name else Member))
    finally:
        if name:
            await alter(engine, "DROP VIEW club")
    assert "was refused" in trace
    assert "$argon2" not in trace


async def test_a_missing_table_is_a_500_that_says_nothing(engine):
    await alter(engine, "DROP TABLE plain_members")
    club = Club(engine)
    transport = httpx2.ASGITransport(app=club.routes, raise_app_exceptions=False)
    async with httpx2.AsyncClient(
        transport=transport, base_url="https://club.example"
    ) as client:
        asked = {"email": "bob@shop.example", "password": PASSWORD}
        answer = await client.post("/register", json=asked)
        assert answer.status_code == 500
        assert "plain_members" not in answer.text


@pytest.mark.parametrize(
    ("user", "known"),
    [({"id": 1}, False), ({"id": 1, "is_verified": False}, True)],
)
def test_a_user_says_whether_its_address_is_verified(user, known):
    class Own(AuthManager):
        async def get_user_by_email(self, email):
            return user

        async def get_user_by_id(self, user_id):
            return user

    assert Own().knows_verified(user) is known


async def test_what_no_column_says_is_not_known(engine):
    from asgi_auth.cli.users import _facts, _row

    club = Club(engine)
    account = await club.accounts.register(BOB, PASSWORD)
    assert club.accounts.is_verified(account) is None
    assert _row(club.accounts, account)[-1] == "-"
    assert _facts(club.accounts, account)["verified"] is None

    class Own(SQLAlchemyUsers[Member]):
        def account_of(self, user):
            return super().account_of(user)

    users = Own(Member, async_sessionmaker(engine))
    accounts = ManagedAccounts(users, tokens=club.tokens)
    assert _row(accounts, account)[-1] == "not verified"
    assert _facts(accounts, account)["verified"] is False
