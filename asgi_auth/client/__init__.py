"""The client's side: keep tokens, refresh them in time, and send them along.

What needs a client library is imported by its own name: ``BearerAuth`` from
``asgi_auth.client.httpx2`` or ``asgi_auth.client.httpx``.
"""

from __future__ import annotations

from asgi_auth._drivers.oauth_client import Client
from asgi_auth.client.errors import (
    BadAnswerError,
    ClientError,
    LoggedOutError,
    RefreshFailedError,
)
from asgi_auth.client.expiry import is_expired, seconds_left
from asgi_auth.client.grants import ClientCredentials, TokenExchange
from asgi_auth.client.tickets import awith_ticket, with_ticket
from asgi_auth.client.tokens import Tokens
from asgi_auth.client.websocket import bearer_subprotocols, reauthentication

__all__ = [
    "BadAnswerError",
    "Client",
    "ClientCredentials",
    "ClientError",
    "LoggedOutError",
    "RefreshFailedError",
    "TokenExchange",
    "Tokens",
    "awith_ticket",
    "bearer_subprotocols",
    "is_expired",
    "reauthentication",
    "seconds_left",
    "with_ticket",
]
