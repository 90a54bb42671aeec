"""Accounts: who may log in, where that is kept, and how it changes.

What needs an extra is imported when it is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from asgi_auth._lazy import lazily
from asgi_auth.accounts.background import Outbox
from asgi_auth.accounts.base import (
    Account,
    AccountDirectory,
    AccountStore,
    MessageKind,
    SendMessage,
)
from asgi_auth.accounts.console import ConsoleSender
from asgi_auth.accounts.email_tokens import EmailPolicy
from asgi_auth.accounts.errors import (
    AccountDisabledError,
    DuplicateAccountError,
    EmailNotVerifiedError,
    InvalidEmailError,
    StaleAccountError,
    UnknownAccountError,
)
from asgi_auth.accounts.grants import grants_of
from asgi_auth.accounts.managed import ManagedAccounts
from asgi_auth.accounts.manager import AuthManager
from asgi_auth.accounts.memory import MemoryAccounts
from asgi_auth.accounts.own import AddsUsers, DeletesUsers, ListsUsers, SavesUsers
from asgi_auth.accounts.service import AccountService

if TYPE_CHECKING:
    from asgi_auth.accounts.basic import BasicBackend
    from asgi_auth.accounts.columns import UserColumns
    from asgi_auth.accounts.smtp import SMTPSender
    from asgi_auth.accounts.sql import SQLAccounts
    from asgi_auth.accounts.sqlalchemy import SQLAlchemyUsers
else:
    __getattr__ = lazily(
        __name__,
        {
            "basic": "BasicBackend",
            "columns": "UserColumns",
            "smtp": "SMTPSender",
            "sql": "SQLAccounts",
            "sqlalchemy": "SQLAlchemyUsers",
        },
    )

__all__ = [
    "Account",
    "AccountDirectory",
    "AccountDisabledError",
    "AccountService",
    "AccountStore",
    "AddsUsers",
    "AuthManager",
    "BasicBackend",
    "ConsoleSender",
    "DeletesUsers",
    "DuplicateAccountError",
    "EmailNotVerifiedError",
    "EmailPolicy",
    "InvalidEmailError",
    "ListsUsers",
    "ManagedAccounts",
    "MemoryAccounts",
    "MessageKind",
    "Outbox",
    "SMTPSender",
    "SQLAccounts",
    "SQLAlchemyUsers",
    "SavesUsers",
    "SendMessage",
    "StaleAccountError",
    "UnknownAccountError",
    "UserColumns",
    "grants_of",
]
