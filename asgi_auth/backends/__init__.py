"""Backends: each knows callers by one kind of credential, and a chain asks several.

The presets say how the tokens of well-known issuers look. None of it answers a request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from asgi_auth._drivers.oauth_client import Client
from asgi_auth._drivers.transport import Transport
from asgi_auth._lazy import lazily

if TYPE_CHECKING:
    from asgi_auth.backends.apikey import APIKeyBackend
    from asgi_auth.backends.apikeys import (
        APIKey,
        APIKeys,
        APIKeyStore,
        MemoryAPIKeys,
        SQLAPIKeys,
    )
    from asgi_auth.backends.assertions import (
        ALB_HEADER,
        CLOUDFLARE_HEADER,
        IAP_HEADER,
        alb,
        cloudflare_access,
        google_iap,
    )
    from asgi_auth.backends.chain import BackendChain
    from asgi_auth.backends.endpoint import IntrospectionEndpoint
    from asgi_auth.backends.introspection import IntrospectionBackend
    from asgi_auth.backends.issuers import IssuersBackend
    from asgi_auth.backends.jwt import JWTBackend
    from asgi_auth.backends.machines import (
        github_actions,
        google_service_accounts,
        kubernetes,
        spiffe,
    )
    from asgi_auth.backends.providers import (
        AUTH0,
        auth0,
        cognito,
        entra,
        keycloak,
    )
    from asgi_auth.backends.trusted import TrustedIssuer
    from asgi_auth.backends.user_platforms import (
        adfs,
        clerk,
        entra_b2c,
        firebase,
        okta,
        supabase,
        zitadel,
    )
else:
    __getattr__ = lazily(
        __name__,
        {
            "apikey": "APIKeyBackend",
            "apikeys": "APIKey APIKeyStore APIKeys MemoryAPIKeys SQLAPIKeys",
            "assertions": (
                "ALB_HEADER CLOUDFLARE_HEADER IAP_HEADER "
                "alb cloudflare_access google_iap"
            ),
            "chain": "BackendChain",
            "endpoint": "IntrospectionEndpoint",
            "introspection": "IntrospectionBackend",
            "issuers": "IssuersBackend",
            "jwt": "JWTBackend",
            "machines": "github_actions google_service_accounts kubernetes spiffe",
            "providers": "AUTH0 auth0 cognito entra keycloak",
            "trusted": "TrustedIssuer",
            "user_platforms": "adfs clerk entra_b2c firebase okta supabase zitadel",
        },
    )

__all__ = [
    "ALB_HEADER",
    "AUTH0",
    "CLOUDFLARE_HEADER",
    "IAP_HEADER",
    "APIKey",
    "APIKeyBackend",
    "APIKeyStore",
    "APIKeys",
    "BackendChain",
    "Client",
    "IntrospectionBackend",
    "IntrospectionEndpoint",
    "IssuersBackend",
    "JWTBackend",
    "MemoryAPIKeys",
    "SQLAPIKeys",
    "Transport",
    "TrustedIssuer",
    "adfs",
    "alb",
    "auth0",
    "clerk",
    "cloudflare_access",
    "cognito",
    "entra",
    "entra_b2c",
    "firebase",
    "github_actions",
    "google_iap",
    "google_service_accounts",
    "keycloak",
    "kubernetes",
    "okta",
    "spiffe",
    "supabase",
    "zitadel",
]
