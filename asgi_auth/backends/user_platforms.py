"""What more platforms for users write into their tokens, as presets.

As in :mod:`asgi_auth.backends.providers`, each gives a
:class:`~asgi_auth.backends.trusted.TrustedIssuer`, and *options* are what that takes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from asgi_auth.backends.trusted import TrustedIssuer
from asgi_auth.errors import ConfigurationError
from asgi_auth.tokens.claim_mapping import ClaimMapping

__all__ = ["adfs", "clerk", "entra_b2c", "firebase", "okta", "supabase", "zitadel"]

_RS256 = ("RS256",)
_FIREBASE_KEYS = (
    "https://www.googleapis.com/service_accounts/v1/jwk/"
    "securetoken@system.gserviceaccount.com"
)
_PROJECT_ROLES = "urn:zitadel:iam:org:project:roles"


def okta(
    domain: str,
    *,
    audience: str | Iterable[str],
    server: str = "default",
    **options: Any,
) -> TrustedIssuer:
    """Trust a custom authorization server of Okta; groups count as roles.

    The tokens of the org server itself (``https://{domain}``) are for Okta's own APIs
    and cannot be verified by any other service.

    Args:
        domain: For instance ``dev-1.okta.com``.
        audience: What the server says its tokens are for, like ``api://default``.
        server: Its id.
        options: As for :class:`~asgi_auth.backends.trusted.TrustedIssuer`.
    """
    mapping = ClaimMapping(scopes=("scp",), roles=("groups",), needs=("cid",))
    issuer = f"https://{domain}/oauth2/{server}"
    defaults = {"claim_mapping": mapping, "algorithms": _RS256}
    return TrustedIssuer(issuer, audience=audience, **{**defaults, **options})


def zitadel(
    domain: str,
    *,
    audience: str | Iterable[str],
    project: str | None = None,
    **options: Any,
) -> TrustedIssuer:
    """Trust an instance of Zitadel whose tokens are JWTs; its project roles count.

    Args:
        domain: For instance ``shop-abc123.zitadel.cloud``.
        audience: The id of the project, or of the application.
        project: The id of another project whose roles count; ``None``: those of the
            project that the token was issued for.
        options: As for :class:`~asgi_auth.backends.trusted.TrustedIssuer`.
    """
    of_project = f"urn:zitadel:iam:org:project:{project}:roles"
    path = _PROJECT_ROLES if project is None else of_project
    # ID tokens are for the same audiences, and have no jti.
    mapping = ClaimMapping(roles=(path,), needs=("jti",))
    defaults: dict[str, Any] = {"claim_mapping": mapping}
    issuer = f"https://{domain}"
    return TrustedIssuer(issuer, audience=audience, **{**defaults, **options})


def entra_b2c(
    tenant: str,
    *,
    directory: str,
    policy: str,
    audience: str | Iterable[str],
    **options: Any,
) -> TrustedIssuer:
    """Trust one policy (user flow) of an Azure AD B2C tenant.

    Args:
        tenant: Its name, ``shop`` of ``shop.b2clogin.com``.
        directory: Its id, a GUID.
        policy: For instance ``B2C_1_signin``.
        audience: The application's id.
        options: As for :class:`~asgi_auth.backends.trusted.TrustedIssuer`.
    """
    host = f"https://{tenant}.b2clogin.com"
    # ID tokens are for the same audience, and never name the client.
    mapping = ClaimMapping(scopes=("scp",), says={"tfp": policy}, needs=("azp",))
    defaults = {
        "keys": f"{host}/{tenant}.onmicrosoft.com/{policy}/discovery/v2.0/keys",
        "algorithms": _RS256,
        "claim_mapping": mapping,
    }
    issuer = f"{host}/{directory.lower()}/v2.0/"
    return TrustedIssuer(issuer, audience=audience, **{**defaults, **options})


def adfs(host: str, *, audience: str | Iterable[str], **options: Any) -> TrustedIssuer:
    """Trust a server of Active Directory Federation Services.

    ``auth_time`` is a text there, so that ``requires(max_age=...)`` finds none. Users
    have a name only where a rule issues ``upn``; applications that call for themselves
    have none at all, and are refused.

    Args:
        host: For instance ``adfs.shop.example``.
        audience: The identifier of the relying party; for the id of an application,
            with ``microsoft:identityserver:`` before it.
        options: As for :class:`~asgi_auth.backends.trusted.TrustedIssuer`.
    """
    mapping = ClaimMapping(
        scopes=("scp",),
        roles=("role", "roles", "group"),
        subject="upn",
        needs=("appid",),
    )
    defaults = {
        "keys": f"https://{host}/adfs/discovery/keys",
        "algorithms": _RS256,
        "claim_mapping": mapping,
    }
    # It names itself by http, whatever it is reached by.
    issuer = f"http://{host}/adfs/services/trust"
    return TrustedIssuer(issuer, audience=audience, **{**defaults, **options})


def firebase(project: str, **options: Any) -> TrustedIssuer:
    """Trust the ID tokens of Firebase Authentication: APIs are called with these.

    A custom claim ``roles`` (list) or ``role`` (text) counts as roles.

    Args:
        project: The id of the project.
        options: As for :class:`~asgi_auth.backends.trusted.TrustedIssuer`.
    """
    mapping = ClaimMapping(
        scopes=(), roles=("roles", "role"), needs=("firebase", "auth_time")
    )
    defaults = {
        "keys": _FIREBASE_KEYS,
        "algorithms": _RS256,
        "claim_mapping": mapping,
    }
    issuer = f"https://securetoken.google.com/{project}"
    return TrustedIssuer(issuer, audience=project, **{**defaults, **options})


def supabase(
    project: str, *, audience: str | Iterable[str] = "authenticated", **options: Any
) -> TrustedIssuer:
    """Trust the users of a Supabase project with signing keys (not the old secret).

    Of roles only those in ``app_metadata`` count: users write ``user_metadata`` on
    their own. Anonymous users have ``is_anonymous`` in their claims.

    Args:
        project: Its reference, ``abcdefgh`` of ``abcdefgh.supabase.co``.
        audience: What its tokens are for.
        options: As for :class:`~asgi_auth.backends.trusted.TrustedIssuer`.
    """
    mapping = ClaimMapping(
        scopes=(), roles=("role", ("app_metadata", "roles")), needs=("session_id",)
    )
    issuer = f"https://{project}.supabase.co/auth/v1"
    defaults = {
        "keys": f"{issuer}/.well-known/jwks.json",
        "algorithms": ("ES256", "RS256"),
        "claim_mapping": mapping,
    }
    return TrustedIssuer(issuer, audience=audience, **{**defaults, **options})


def clerk(
    domain: str, *, origins: str | Iterable[str], **options: Any
) -> TrustedIssuer:
    """Trust the session tokens of Clerk; the role in the active organization counts.

    They name no audience but the origin of the page (``azp``). Clerk leaves it out
    where a browser sends no origin; such tokens are refused.

    Args:
        domain: Of the Frontend API, for instance ``clerk.shop.example``.
        origins: Of your pages, for instance ``https://shop.example``.
        options: As for :class:`~asgi_auth.backends.trusted.TrustedIssuer`.

    Raises:
        ConfigurationError: There is no origin.
    """
    if not origins:
        msg = "clerk() needs the origins of your pages: tokens name no other audience."
        raise ConfigurationError(msg)

    mapping = ClaimMapping(
        scopes=(), roles=(("o", "rol"), "org_role"), audience="azp", needs=("sid",)
    )
    issuer = f"https://{domain}"
    defaults = {
        "keys": f"{issuer}/.well-known/jwks.json",
        "algorithms": _RS256,
        "claim_mapping": mapping,
    }
    return TrustedIssuer(issuer, audience=origins, **{**defaults, **options})
