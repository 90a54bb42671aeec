"""What platforms write into the tokens of machines: jobs, pods, service accounts.

Such a token says where code runs. Name what of it you trust: an audience alone lets in
everybody who may run code there.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from asgi_auth.backends.trusted import TrustedIssuer
from asgi_auth.errors import ConfigurationError
from asgi_auth.tokens.claim_mapping import ClaimMapping

__all__ = ["github_actions", "google_service_accounts", "kubernetes", "spiffe"]

_RS256 = ("RS256",)
_GOOGLE_KEYS = "https://www.googleapis.com/oauth2/v3/certs"
_GITHUB = "https://token.actions.githubusercontent.com"


def github_actions(
    *,
    audience: str | Iterable[str],
    repository: str | None = None,
    owner: str | None = None,
    **options: Any,
) -> TrustedIssuer:
    """Trust the jobs of one repository, or of all repositories of one owner.

    The subject says more, for instance ``repo:octo-org/app:environment:prod``.

    Args:
        audience: What the job asks for.
        repository: For instance ``octo-org/app``.
        owner: For instance ``octo-org``.
        options: As for :class:`~asgi_auth.backends.trusted.TrustedIssuer`.

    Raises:
        ConfigurationError: Neither is named: every job of GitHub would be trusted.
    """
    says = {"repository": repository, "repository_owner": owner}
    claims = {name: value for name, value in says.items() if value}
    if not claims:
        msg = "github_actions() needs a repository or an owner: anybody can run jobs."
        raise ConfigurationError(msg)

    mapping = ClaimMapping(scopes=(), roles=(), says=claims)
    defaults = {
        "keys": f"{_GITHUB}/.well-known/jwks",
        "algorithms": _RS256,
        "claim_mapping": mapping,
    }
    return TrustedIssuer(_GITHUB, audience=audience, **{**defaults, **options})


def kubernetes(
    issuer: str = "https://kubernetes.default.svc.cluster.local",
    *,
    audience: str | Iterable[str],
    namespace: str | None = None,
    **options: Any,
) -> TrustedIssuer:
    """Trust the service accounts of a cluster, or of one namespace.

    Within the cluster, the certificate of its API is that of an authority of its own
    (``SSL_CERT_FILE``), and its keys may be for known callers only: give *fetch* then,
    or *keys*.

    Args:
        issuer: As the tokens name it.
        audience: That of the projected token; leave that of the API server out, or
            every pod can call you with the token that it has anyway.
        namespace: The only one whose accounts are taken.
        options: As for :class:`~asgi_auth.backends.trusted.TrustedIssuer`.
    """
    prefix = "system:serviceaccount:"
    mapping = ClaimMapping(
        scopes=(),
        roles=(),
        subject_prefix=prefix if namespace is None else f"{prefix}{namespace}:",
        needs=("kubernetes.io",),
    )
    defaults: dict[str, Any] = {
        "keys": f"{issuer}/openid/v1/jwks",
        "claim_mapping": mapping,
    }
    return TrustedIssuer(issuer, audience=audience, **{**defaults, **options})


def google_service_accounts(
    *, audience: str | Iterable[str], **options: Any
) -> TrustedIssuer:
    """Trust Google's ID tokens for service accounts, as Cloud Run and jobs send them.

    Any project's accounts can have one for your audience: let guards look at the
    subject, or at ``email`` among the claims. The tokens of users who have signed in
    with Google have an ``at_hash`` and are refused.

    Args:
        audience: The URL of this service, as the caller asks for it.
        options: As for :class:`~asgi_auth.backends.trusted.TrustedIssuer`.
    """
    mapping = ClaimMapping(scopes=(), roles=(), needs=("azp", "email"))
    defaults = {
        "keys": _GOOGLE_KEYS,
        "algorithms": _RS256,
        "claim_mapping": mapping,
    }
    issuer = "https://accounts.google.com"
    return TrustedIssuer(issuer, audience=audience, **{**defaults, **options})


def spiffe(
    trust_domain: str, *, audience: str | Iterable[str], **options: Any
) -> TrustedIssuer:
    """Trust the workloads of a SPIFFE trust domain by their JWT-SVIDs.

    Their tokens need no ``iss``; the subject says whose they are. Where yours have one
    (``jwt_issuer`` of SPIRE), give it as *issuer*.

    Args:
        trust_domain: For instance ``shop.example``.
        audience: The SPIFFE ID of this service, or what callers ask for.
        options: As for :class:`~asgi_auth.backends.trusted.TrustedIssuer`, and
            *issuer*; *keys* say where the bundle is, or are those in it.
    """
    mapping = ClaimMapping(
        scopes=(), roles=(), subject_prefix=f"spiffe://{trust_domain}/"
    )
    issuer = options.pop("issuer", None)
    defaults: dict[str, Any] = {"claim_mapping": mapping}
    return TrustedIssuer(issuer, audience=audience, **{**defaults, **options})
