"""Make ``fastapi_users.json`` with the real fastapi-users, where that is installed.

Its SQLAlchemy adapter needs an older SQLAlchemy than ours, so that what it makes is
kept. In a new environment: ``pip install "fastapi-users[sqlalchemy,oauth]" aiosqlite
httpx``, and then this with the name of an empty folder.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import sys
import uuid
from pathlib import Path

import httpx
from fastapi import Depends, FastAPI
from fastapi_users import BaseUserManager, FastAPIUsers, UUIDIDMixin, schemas
from fastapi_users.authentication import (
    AuthenticationBackend,
    BearerTransport,
    CookieTransport,
    JWTStrategy,
)
from fastapi_users.authentication.strategy.db import DatabaseStrategy
from fastapi_users.password import PasswordHelper
from fastapi_users_db_sqlalchemy import (
    SQLAlchemyBaseOAuthAccountTableUUID,
    SQLAlchemyBaseUserTableUUID,
    SQLAlchemyUserDatabase,
)
from fastapi_users_db_sqlalchemy.access_token import (
    SQLAlchemyAccessTokenDatabase,
    SQLAlchemyBaseAccessTokenTableUUID,
)
from pwdlib import PasswordHash
from pwdlib.hashers.bcrypt import BcryptHasher
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, relationship

SECRET = "Xq3vN8kT1mZ7sP5wL9yR2bC6dF4gJ0hA-uEoIiOaHt"
YEARS = 20 * 365 * 86400


class Base(DeclarativeBase):
    pass


class OAuthAccount(SQLAlchemyBaseOAuthAccountTableUUID, Base):
    pass


class User(SQLAlchemyBaseUserTableUUID, Base):
    oauth_accounts = relationship("OAuthAccount", lazy="joined")


class AccessToken(SQLAlchemyBaseAccessTokenTableUUID, Base):
    pass


class UserManager(UUIDIDMixin, BaseUserManager[User, uuid.UUID]):
    reset_password_token_secret = SECRET
    verification_token_secret = SECRET


def application(sessions):
    async def database():
        async with sessions() as session:
            yield SQLAlchemyUserDatabase(session, User, OAuthAccount)

    async def token_database():
        async with sessions() as session:
            yield SQLAlchemyAccessTokenDatabase(session, AccessToken)

    async def manager(found=Depends(database)):  # noqa: B008
        yield UserManager(found)

    def jwt_strategy():
        return JWTStrategy(secret=SECRET, lifetime_seconds=YEARS)

    def database_strategy(found=Depends(token_database)):  # noqa: B008
        return DatabaseStrategy(found, lifetime_seconds=YEARS)

    backends = [
        AuthenticationBackend("jwt", BearerTransport("jwt/login"), jwt_strategy),
        AuthenticationBackend("db", BearerTransport("db/login"), database_strategy),
        AuthenticationBackend("cookie", CookieTransport(), jwt_strategy),
    ]
    users = FastAPIUsers[User, uuid.UUID](manager, backends)
    app = FastAPI()
    for backend in backends:
        app.include_router(users.get_auth_router(backend), prefix=f"/{backend.name}")
    app.include_router(
        users.get_register_router(schemas.BaseUser[uuid.UUID], schemas.BaseUserCreate)
    )
    return app


async def fill(client, sessions):
    """Make users as they come to be in the life of an application."""
    passwords = {}
    for name in ("Ann", "bob", "cyd", "root", "gone", "old"):
        email, passwords[name] = f"{name}@example.com", f"violet-otter-{name}"
        asked = {"email": email, "password": passwords[name]}
        (await client.post("/register", json=asked)).raise_for_status()

    bcrypt = PasswordHelper(PasswordHash((BcryptHasher(rounds=4),)))
    async with sessions() as session:
        database = SQLAlchemyUserDatabase(session, User, OAuthAccount)
        manager = UserManager(database)

        async def change(name, **values):
            user = await database.get_by_email(f"{name}@example.com")
            return await database.update(user, values)

        await change("Ann", is_verified=True)
        await change("root", is_superuser=True, is_verified=True)
        await change("gone", is_active=False)
        await change("old", hashed_password=bcrypt.hash(passwords["old"]))
        # Who comes by Google has a password that nobody knows.
        await manager.oauth_callback(
            "google", "ya29", "108", "oauth@example.com", is_verified_by_default=True
        )
    return passwords


async def make(path):
    engine = create_async_engine(f"sqlite+aiosqlite:///{path}")
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)

    sessions = async_sessionmaker(engine, expire_on_commit=False)
    transport = httpx.ASGITransport(application(sessions))
    made = {}
    async with httpx.AsyncClient(transport=transport, base_url="https://a") as client:
        made["passwords"] = await fill(client, sessions)
        form = {"username": "Ann@example.com", "password": made["passwords"]["Ann"]}
        for name in ("jwt", "db"):
            answer = await client.post(f"/{name}/login", data=form)
            made[name] = answer.json()["access_token"]
        answer = await client.post("/cookie/login", data=form)
        made["cookie"] = answer.headers["set-cookie"].partition(";")[0]

    await engine.dispose()
    with sqlite3.connect(path) as database:
        made["sql"] = [*database.iterdump()]
    return made


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    text = json.dumps(asyncio.run(make(folder / "made.db")), indent=1)
    Path(__file__).with_name("fastapi_users.json").write_text(text + "\n")
