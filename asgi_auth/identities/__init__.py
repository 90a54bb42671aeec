"""Log-ins at other identity providers, and whose accounts their users have.

The core does not know this package: it is there for who imports it. What needs an
extra is imported when it is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from asgi_auth._drivers.oauth_client import Client
from asgi_auth._lazy import lazily
from asgi_auth.identities.errors import IdentityTakenError
from asgi_auth.identities.id_token_policy import IDTokenPolicy
from asgi_auth.identities.memory import MemoryIdentities
from asgi_auth.identities.oauth import OAuthProvider
from asgi_auth.identities.oidc import OIDCProvider
from asgi_auth.identities.records import Identity, IdentityStore, Profile
from asgi_auth.identities.server import AuthorizationServer
from asgi_auth.identities.service import Identities

if TYPE_CHECKING:
    from asgi_auth.identities.sql import SQLIdentities
else:
    __getattr__ = lazily(__name__, {"sql": "SQLIdentities"})

__all__ = [
    "AuthorizationServer",
    "Client",
    "IDTokenPolicy",
    "Identities",
    "Identity",
    "IdentityStore",
    "IdentityTakenError",
    "MemoryIdentities",
    "OAuthProvider",
    "OIDCProvider",
    "Profile",
    "SQLIdentities",
]
