"""Registrations that a table does not take: the caller's fault, or its owner's."""

from __future__ import annotations

import os

import httpx2
import pytest
import sqlalchemy as sa
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import async_sessionmaker
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from asgi_auth import ConfigurationError, KeySet, TokenService
from asgi_auth.accounts import DuplicateAccountError, ManagedAccounts, SQLAlchemyUsers
from asgi_auth.accounts.errors import InvalidFieldError
from asgi_auth.accounts.row_faults import row_fault
from asgi_auth.ratelimit import RateLimiter
from asgi_auth.routes import AuthRoutes, RouteShape
from tests.accounts.own_engine import own_engine
from tests.routes.world import assert_problem, cheap_hasher

pytestmark = pytest.mark.anyio

PASSWORD = "violet-otter-42-lamp"


class Base(DeclarativeBase):
    pass


class Team(Base):
    __tablename__ = f"teams_{os.getpid()}"

    id: Mapped[int] = mapped_column(primary_key=True)


class Member(Base):
    __tablename__ = f"members_{os.getpid()}"
    __table_args__ = (sa.CheckConstraint("age < 150"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(unique=True)
    hashed_password: Mapped[str]
    is_active: Mapped[bool] = mapped_column(default=True)
    city: Mapped[str] = mapped_column(sa.String(20), default="")
    age: Mapped[int | None]
    phone: Mapped[str | None] = mapped_column(unique=True)
    team: Mapped[int | None] = mapped_column(sa.ForeignKey(Team.id))


class Tenant(Base):
    """A row of which something must be given that no registration has."""

    __tablename__ = f"tenants_{os.getpid()}"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(unique=True)
    hashed_password: Mapped[str]
    is_active: Mapped[bool] = mapped_column(default=True)
    organisation: Mapped[str]


class Registration(BaseModel):
    email: str
    password: str
    city: str | None = ""
    age: int | None = None
    phone: str | None = None
    team: int | None = None


@pytest.fixture(params=["sqlite", "postgres"])
async def engine(request):
    async with own_engine(request, Base.metadata) as engine:
        yield engine


def accounts_of(model, engine):
    users = SQLAlchemyUsers(model, async_sessionmaker(engine))
    users.hasher = cheap_hasher()
    tokens = TokenService(KeySet.generate("HS256"), issuer="https://club.example")
    return tokens, ManagedAccounts(users, tokens=tokens, require_verified=False)


@pytest.fixture
async def client(engine):
    tokens, accounts = accounts_of(Member, engine)
    routes = AuthRoutes(
        tokens,
        accounts,
        shape=RouteShape(register=Registration),
        limiter=RateLimiter(insecure_unlimited=True),
    )
    transport = httpx2.ASGITransport(app=routes)
    async with httpx2.AsyncClient(
        transport=transport, base_url="https://club.example"
    ) as client:
        yield client


async def register(client, mail="ann@example.com", **fields):
    asked = {"email": mail, "password": PASSWORD, **fields}
    return await client.post("/register", json=asked)


@pytest.mark.parametrize(
    "fields",
    [
        {"city": "x" * 21},
        {"city": "x" * 30_000},
        {"city": None},
        {"age": 2**63},
        {"age": 10**30},
        {"age": 150},
    ],
    ids=range(6),
)
async def test_a_field_that_does_not_fit_is_refused(client, fields):
    assert_problem(await register(client, **fields), 422, "invalid_field")
    assert (await register(client, city="x" * 20, age=7)).status_code == 201


async def test_what_only_postgresql_lacks_is_refused_there(client, engine):
    if engine.dialect.name == "sqlite":
        return  # It keeps larger numbers, and looks at no foreign keys.
    for fields in ({"age": 2**31}, {"team": 4711}):
        assert_problem(await register(client, **fields), 422, "invalid_field")
    assert (await register(client)).status_code == 201


async def test_an_address_is_taken_where_it_is_taken(client):
    assert (await register(client)).status_code == 201
    assert_problem(await register(client), 409, "account_exists")


async def test_a_value_that_is_missing_is_not_said_to_be_taken(engine):
    _, accounts = accounts_of(Tenant, engine)
    with pytest.raises(ConfigurationError, match="Tenant has a column") as raised:
        await accounts.register("ann@example.com", PASSWORD)
    assert raised.value.__context__ is None


async def test_a_lone_surrogate_is_refused(engine):
    _, accounts = accounts_of(Member, engine)
    with pytest.raises(InvalidFieldError):
        await accounts.register(
            "ann@example.com", PASSWORD, data={"phone": "\ud800" * 3}
        )


class DriverError(Exception):
    def __init__(self, code):
        self.sqlstate = code


@pytest.mark.parametrize(
    ("kind", "code", "callers", "own"),
    [
        (sa.exc.IntegrityError, "23505", DuplicateAccountError, DuplicateAccountError),
        (sa.exc.IntegrityError, None, DuplicateAccountError, DuplicateAccountError),
        (sa.exc.IntegrityError, "23502", ConfigurationError, ConfigurationError),
        (sa.exc.IntegrityError, "23514", InvalidFieldError, ConfigurationError),
        (sa.exc.DataError, "22001", InvalidFieldError, ConfigurationError),
        (sa.exc.OperationalError, "08006", None, None),
        (sa.exc.ProgrammingError, "42703", None, None),
    ],
)
def test_a_code_says_whose_fault_it_is(kind, code, callers, own):
    error = kind("INSERT", {}, DriverError(code))
    for is_callers, expected in ((True, callers), (False, own)):
        fault = row_fault(error, "Member", is_callers=is_callers)
        assert type(fault) is (expected or type(None))
