"""The guide from fastapi-users, on a database that the real one has made."""

from __future__ import annotations

import json
import sqlite3
import uuid
from pathlib import Path

import httpx2
import jwt
import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from asgi_auth import (
    BackendChain,
    BearerHeader,
    Cookie,
    InvalidTokenError,
    JWTBackend,
    KeySet,
    Principal,
    TokenService,
    TokenVerifier,
    issuer_aware,
)
from asgi_auth.accounts import ManagedAccounts, SQLAlchemyUsers, UserColumns
from asgi_auth.accounts.errors import LastWayInError
from asgi_auth.integrations.fastapi import install
from asgi_auth.ratelimit import RateLimiter
from asgi_auth.routes import AuthRoutes
from tests.identities.world import World
from tests.migrations.test_layouts import SECRET

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("cheap_hashes")]

MADE = json.loads(Path(__file__).with_name("fastapi_users.json").read_text("utf-8"))
PASSWORDS = MADE["passwords"]
SOURCES = [BearerHeader(), Cookie("fastapiusersauth")]
ENDS = jwt.decode(MADE["jwt"], options={"verify_signature": False})["exp"]


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "user"

    # On SQLite theirs is a text with hyphens; on PostgreSQL it is Mapped[UUID].
    id: Mapped[str] = mapped_column(
        sa.CHAR(36), primary_key=True, default=lambda: str(uuid.uuid4())
    )
    email: Mapped[str]
    hashed_password: Mapped[str]
    is_active: Mapped[bool]
    is_superuser: Mapped[bool]
    is_verified: Mapped[bool]


class OldTokens:
    """Knows the tokens of ``DatabaseStrategy``, as the guide shows it."""

    name = "before-db"
    sources = tuple(SOURCES)
    challenges = ()

    def __init__(self, sessions) -> None:
        self.sessions = sessions

    def claims(self, credential) -> bool:
        return len(credential.token) == 43 and b"." not in credential.token

    async def authenticate(self, credential, scope):
        if credential is None:
            return None

        query = sa.text("SELECT user_id FROM accesstoken WHERE token = :token")
        async with self.sessions() as session:
            token = credential.token.decode("latin-1")
            user_id = await session.scalar(query, {"token": token})
        if user_id is None:
            raise InvalidTokenError

        return Principal(
            subject=user_id,
            scopes=frozenset({"authenticated"}),
            source=credential.source,
            backend=self.name,
            is_authenticated=True,
        )


@pytest.fixture
async def sessions(tmp_path):
    path = tmp_path / "made.db"
    with sqlite3.connect(path) as database:
        database.executescript("\n".join(MADE["sql"]))
    engine = create_async_engine(f"sqlite+aiosqlite:///{path}")
    yield async_sessionmaker(engine)
    await engine.dispose()


@pytest.fixture
async def client(sessions):
    columns = UserColumns(verified="is_verified", flags={"superuser": "is_superuser"})
    users = SQLAlchemyUsers(User, sessions, columns)
    tokens = TokenService(KeySet.generate("ES256"), issuer="https://api.example")
    routes = AuthRoutes(
        tokens,
        ManagedAccounts(users, tokens=tokens),
        limiter=RateLimiter(insecure_unlimited=True),
    )
    before = TokenVerifier(
        KeySet.from_secret(SECRET),
        audience="fastapi-users:auth",
        types=("jwt",),
        clock=lambda: ENDS - 3600,
    )
    backend = BackendChain(
        JWTBackend(tokens),
        JWTBackend(before, sources=SOURCES, name="before"),
        OldTokens(sessions),
    )

    @issuer_aware
    async def load_user(principal):
        user = await users.get_user_by_subject(principal.subject)
        return user if user and user.is_active else None

    app = FastAPI()
    public = routes.public_paths("/auth")
    install(
        app, backend, load_user=load_user, public_paths=public, required=True,
    )  # fmt: skip
    app.mount("/auth", routes)

    @app.get("/who")
    async def who() -> str:
        return "known"

    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="https://a") as client:
        client.tokens, client.users = tokens, users
        yield client


async def log_in(client, name, email=None):
    form = {"username": email or f"{name}@example.com", "password": PASSWORDS[name]}
    return await client.post("/auth/login", data=form)


@pytest.mark.parametrize("name", ["Ann", "bob", "cyd", "root", "old"])
async def test_every_user_logs_in_with_the_password_of_before(client, name):
    answer = await log_in(client, name)
    assert answer.status_code == 200, answer.text
    claims = await client.tokens.verify(answer.json()["access_token"])
    assert claims.get("roles", ()) == (("superuser",) if name == "root" else ())
    headers = {"authorization": f"Bearer {answer.json()['access_token']}"}
    me = (await client.get("/auth/me", headers=headers)).json()
    assert me["verified"] is (name in {"Ann", "root"})
    refresh = {"refresh_token": answer.json()["refresh_token"]}
    assert (await client.post("/auth/refresh", json=refresh)).status_code == 200


async def test_the_case_of_an_address_does_not_matter(client):
    assert (await log_in(client, "Ann", "ANN@EXAMPLE.COM")).status_code == 200


async def test_a_bcrypt_hash_is_renewed_at_the_log_in(client):
    assert (await log_in(client, "old")).status_code == 200
    user = await client.users.get_user_by_email("old@example.com")
    assert user.hashed_password.startswith("$argon2id$")
    assert (await log_in(client, "old")).status_code == 200


async def test_who_was_inactive_is_told_so_after_the_right_password(client):
    answer = await log_in(client, "gone")
    assert answer.json()["code"] == "account_disabled"


async def test_who_came_by_oauth_is_there_and_has_no_password_to_know(client):
    account = await client.users.get_user_by_email("oauth@example.com")
    assert account.is_verified
    assert account.hashed_password.startswith("$argon2id$")


@pytest.mark.parametrize("kind", ["jwt", "db"])
async def test_tokens_of_before_go_on(client, kind):
    headers = {"authorization": f"Bearer {MADE[kind]}"}
    assert (await client.get("/who", headers=headers)).status_code == 200
    headers = {"authorization": f"Bearer {MADE[kind][:-2]}AA"}
    assert (await client.get("/who", headers=headers)).status_code == 401


@pytest.mark.parametrize("kind", ["cookie", "db"])
async def test_the_cookie_of_before_goes_on_and_is_guarded_against_foreign_pages(
    client, kind
):
    cookie = MADE["cookie"] if kind == "cookie" else f"fastapiusersauth={MADE['db']}"
    headers = {"cookie": cookie}
    assert (await client.get("/who", headers=headers)).status_code == 200
    foreign = {**headers, "origin": "https://evil.example"}
    assert (await client.post("/who", headers=foreign)).status_code == 403


async def test_a_token_of_before_ends_with_its_user(client, sessions):
    async with sessions() as session:
        await session.execute(sa.update(User).values(is_active=False))
        await session.commit()
    for kind in ("jwt", "db"):
        headers = {"authorization": f"Bearer {MADE[kind]}"}
        assert (await client.get("/who", headers=headers)).status_code == 401


async def test_rights_that_were_taken_are_gone_at_the_next_refresh(client, sessions):
    pair = (await log_in(client, "root")).json()
    async with sessions() as session:
        await session.execute(sa.update(User).values(is_superuser=False))
        await session.commit()
    refresh = {"refresh_token": pair["refresh_token"]}
    pair = (await client.post("/auth/refresh", json=refresh)).json()
    assert "roles" not in await client.tokens.verify(pair["access_token"])


async def test_oauth_accounts_log_in_as_before(sessions):
    world = World()
    columns = UserColumns(verified="is_verified", flags={"superuser": "is_superuser"})
    users = SQLAlchemyUsers(User, sessions, columns)
    accounts = ManagedAccounts(users, tokens=world.tokens)
    world = World(accounts=accounts)
    async with sessions() as session:
        query = "SELECT user_id, account_id, account_email FROM oauth_account"
        rows = (await session.execute(sa.text(query))).all()
    for row in [*rows, *rows]:
        subject = row.account_id.removeprefix("people/")
        await world.identities.adopt(
            row.user_id, "op", subject, email=row.account_email
        )

    world.op.user = {"sub": "108"}
    world.op.email = {"email": "another@example.com", "email_verified": False}
    outcome = await world.log_in()
    assert (outcome.how, outcome.account.email) == ("identity", "oauth@example.com")

    # Who comes anew has no password, where the column must hold one.
    world.op.user = {"sub": "109"}
    world.op.email = {"email": "new@example.com", "email_verified": True}
    outcome = await world.log_in()
    assert (outcome.how, outcome.account.password_hash) == ("sign_up", None)
    user = await users.get_user_by_email("new@example.com")
    assert user.hashed_password == "!"
    assert await users.authenticate("new@example.com", "violet-otter-42") is None
    (identity,) = await world.identities.list(outcome.account.id)
    with pytest.raises(LastWayInError):
        await world.identities.unlink(outcome.account.id, identity.id)

    # Who is verified is linked by the address, and keeps a way in.
    world.op.user = {"sub": "110"}
    world.op.email = {"email": "ann@example.com", "email_verified": True}
    outcome = await world.log_in()
    assert outcome.how == "address"
    (identity,) = await world.identities.list(outcome.account.id)
    await world.identities.unlink(outcome.account.id, identity.id)
