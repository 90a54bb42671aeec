"""FastAPI with fastapi-users and its JWT strategy; the database is a dictionary."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from fastapi import Depends
from fastapi_users import BaseUserManager, FastAPIUsers
from fastapi_users.authentication import (
    AuthenticationBackend,
    BearerTransport,
    JWTStrategy,
)
from fastapi_users.db import BaseUserDatabase

from benchmarks.contestants import Kind, NotThereError, Pair
from benchmarks.contestants.fastapi_by_hand import application
from benchmarks.material import AUDIENCE, Material

__all__ = ["build"]


@dataclass
class _User:
    id: str
    email: str = "user@api.example"
    hashed_password: str = ""
    is_active: bool = True
    is_superuser: bool = False
    is_verified: bool = True


class _Users(BaseUserDatabase[Any, str]):
    def __init__(self) -> None:
        self._known: dict[str, _User] = {}

    async def get(self, id: str) -> _User:  # noqa: A002 - theirs
        return self._known.setdefault(id, _User(id))


class _Manager(BaseUserManager[Any, str]):
    def parse_id(self, value: Any) -> str:
        return str(value)


def build(material: Material, kind: Kind) -> Pair:
    """Make the application without and with the dependency."""
    if kind == "websocket":
        msg = "has no dependency for sockets"
        raise NotThereError(msg)

    users = _Users()

    async def database() -> AsyncIterator[_Users]:
        yield users

    async def manager(
        users: _Users = Depends(database),  # noqa: B008
    ) -> AsyncIterator[_Manager]:
        yield _Manager(users)

    def strategy() -> JWTStrategy[Any, str]:
        return JWTStrategy(
            secret=material.private_pem,
            lifetime_seconds=3600,
            token_audience=[AUDIENCE],
            algorithm=material.algorithm,
            public_key=None if material.is_symmetric else material.verify_key,
        )

    transport = BearerTransport(tokenUrl="login")
    backend = AuthenticationBackend("jwt", transport, strategy)
    current = FastAPIUsers[Any, str](manager, [backend]).current_user(active=True)
    return Pair(application(), application(Depends(current)))
