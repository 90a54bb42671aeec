"""Identify the caller of every HTTP request and every WebSocket of an ASGI app."""

from __future__ import annotations

from asgi_auth._users import issuer_aware
from asgi_auth.backends.chain import BackendChain
from asgi_auth.backends.jwt import JWTBackend
from asgi_auth.config import AuthConfig
from asgi_auth.credentials.reader import Credential
from asgi_auth.credentials.site import Site
from asgi_auth.credentials.sources import (
    BearerHeader,
    Cookie,
    Header,
    QueryParam,
    Subprotocol,
    Ticket,
)
from asgi_auth.errors import (
    AsgiAuthError,
    AuthenticationError,
    AuthError,
    AuthorizationError,
    ConfigurationError,
    CrossOriginError,
    ExpiredTokenError,
    InsufficientScopeError,
    InvalidCredentialsError,
    InvalidRequestError,
    InvalidTokenError,
    MissingExtraError,
    RateLimitedError,
    ReusedTokenError,
    RevokedTokenError,
    StepUpRequiredError,
    UnavailableError,
    UnknownSubjectError,
)
from asgi_auth.events import Event
from asgi_auth.guards import RoleHierarchy, holds, policy, requires
from asgi_auth.keys import Key, KeySet
from asgi_auth.lifetime import ConnectionPolicy, extend, identify
from asgi_auth.middleware import AuthenticationMiddleware
from asgi_auth.principal import (
    ANONYMOUS,
    Principal,
    get_principal,
    get_user,
)
from asgi_auth.responses.challenge import Challenge
from asgi_auth.responses.deny import deny
from asgi_auth.responses.refusal_policy import RefusalPolicy
from asgi_auth.responses.refusals import RefusalMiddleware
from asgi_auth.revocation import RevocationList
from asgi_auth.scope_policy import ScopePolicy
from asgi_auth.sessions import SessionPolicy, TokenService
from asgi_auth.stores.memory import MemoryStore
from asgi_auth.stores.records import Device, Session
from asgi_auth.tokens.grant import Grant
from asgi_auth.tokens.pair import TokenPair
from asgi_auth.tokens.verification import Verification
from asgi_auth.tokens.verifier import TokenVerifier
from asgi_auth.tracking import current_principal

__all__ = [
    "ANONYMOUS",
    "AsgiAuthError",
    "AuthConfig",
    "AuthError",
    "AuthenticationError",
    "AuthenticationMiddleware",
    "AuthorizationError",
    "BackendChain",
    "BearerHeader",
    "Challenge",
    "ConfigurationError",
    "ConnectionPolicy",
    "Cookie",
    "Credential",
    "CrossOriginError",
    "Device",
    "Event",
    "ExpiredTokenError",
    "Grant",
    "Header",
    "InsufficientScopeError",
    "InvalidCredentialsError",
    "InvalidRequestError",
    "InvalidTokenError",
    "JWTBackend",
    "Key",
    "KeySet",
    "MemoryStore",
    "MissingExtraError",
    "Principal",
    "QueryParam",
    "RateLimitedError",
    "RefusalMiddleware",
    "RefusalPolicy",
    "ReusedTokenError",
    "RevocationList",
    "RevokedTokenError",
    "RoleHierarchy",
    "ScopePolicy",
    "Session",
    "SessionPolicy",
    "Site",
    "StepUpRequiredError",
    "Subprotocol",
    "Ticket",
    "TokenPair",
    "TokenService",
    "TokenVerifier",
    "UnavailableError",
    "UnknownSubjectError",
    "Verification",
    "current_principal",
    "deny",
    "extend",
    "get_principal",
    "get_user",
    "holds",
    "identify",
    "issuer_aware",
    "policy",
    "requires",
]
