"""What proxies that log users in assert to the application behind them.

The assertion comes in a header of its own, added to every request. Take it with
``IssuersBackend(..., sources=[CLOUDFLARE_HEADER])`` and the like, so that the
application's own tokens beat it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from asgi_auth._drivers.transport import Transport
from asgi_auth.backends.trusted import TrustedIssuer
from asgi_auth.credentials.sources import Header
from asgi_auth.errors import ConfigurationError
from asgi_auth.keys.pem_client import PEMClient
from asgi_auth.tokens.claim_mapping import ClaimMapping
from asgi_auth.tokens.form import TokenForm

__all__ = [
    "ALB_HEADER",
    "CLOUDFLARE_HEADER",
    "IAP_HEADER",
    "alb",
    "cloudflare_access",
    "google_iap",
]

ALB_HEADER: Final = Header("x-amzn-oidc-data", ambient=True, max_token=32_768)
"""Where load balancers of AWS put what they know of the user."""

CLOUDFLARE_HEADER: Final = Header("Cf-Access-Jwt-Assertion", ambient=True)
"""Where Cloudflare Access puts its token."""

IAP_HEADER: Final = Header("x-goog-iap-jwt-assertion", ambient=True)
"""Where Google's Identity-Aware Proxy puts its token."""

_ARN = re.compile(
    r"arn:(?P<partition>aws[a-z-]*):elasticloadbalancing:(?P<region>[a-z0-9-]+):\d{12}"
    r":loadbalancer/.+"
)
_ALB_KEYS = {
    "aws": "https://public-keys.auth.elb.{region}.amazonaws.com/{{kid}}",
    "aws-cn": "https://public-keys.auth.elb.{region}.amazonaws.com.cn/{{kid}}",
    "aws-us-gov": "https://s3-{region}.amazonaws.com/"
    "aws-elb-public-keys-prod-{region}/{{kid}}",
}


def cloudflare_access(
    team: str, *, audience: str | Iterable[str], **options: Any
) -> TrustedIssuer:
    """Trust Cloudflare Access: users, and service tokens by their client id.

    Args:
        team: ``shop`` of ``shop.cloudflareaccess.com``.
        audience: The AUD tag of the Access application.
        options: As for :class:`~asgi_auth.backends.trusted.TrustedIssuer`.
    """
    # A token of the type "org" is for the log-in page only.
    mapping = ClaimMapping(
        scopes=(), roles=("groups",), subject="common_name", says={"type": "app"}
    )
    issuer = f"https://{team}.cloudflareaccess.com"
    defaults = {
        "keys": f"{issuer}/cdn-cgi/access/certs",
        "algorithms": ("RS256",),
        "claim_mapping": mapping,
    }
    return TrustedIssuer(issuer, audience=audience, **{**defaults, **options})


def google_iap(*, audience: str | Iterable[str], **options: Any) -> TrustedIssuer:
    """Trust Google's Identity-Aware Proxy.

    Args:
        audience: For instance ``/projects/1234/global/backendServices/5678``.
        options: As for :class:`~asgi_auth.backends.trusted.TrustedIssuer`.
    """
    mapping = ClaimMapping(scopes=(), roles=(), needs=("email",))
    defaults = {
        "keys": "https://www.gstatic.com/iap/verify/public_key-jwk",
        "algorithms": ("ES256",),
        "claim_mapping": mapping,
    }
    issuer = "https://cloud.google.com/iap"
    return TrustedIssuer(issuer, audience=audience, **{**defaults, **options})


def alb(
    arn: str, *, issuer: str, client: str | None = None, **options: Any
) -> TrustedIssuer:
    """Trust an Application Load Balancer of AWS that logs users in.

    Its tokens have no audience: their header names the load balancer that has signed
    them. Without that any load balancer of AWS would do, since all share their keys.

    Args:
        arn: Of the load balancer.
        issuer: Of the identity provider that it asks; its tokens name that.
        client: The load balancer's id at the provider; ``None`` takes any, where its
            rules have several.
        options: As for :class:`~asgi_auth.backends.trusted.TrustedIssuer`; ``keys`` in
            a partition of AWS that is not the public one, GovCloud or China.

    Raises:
        ConfigurationError: The ARN is not that of a load balancer, or where its keys
            are is not known.
    """
    match = _ARN.fullmatch(arn)
    if match is None:
        msg = "alb() needs the ARN of a load balancer: arn:aws:elasticloadbalancing:…"
        raise ConfigurationError(msg)

    form = TokenForm(
        padded=True,
        max_token=ALB_HEADER.max_token,
        header_says={"signer": arn} | ({} if client is None else {"client": client}),
    )
    defaults: dict[str, Any] = {
        "algorithms": ("ES256",),
        "claim_mapping": ClaimMapping(scopes=(), roles=()),
        "form": form,
    }
    if "keys" not in options:
        url = _ALB_KEYS.get(match["partition"])
        if url is None:
            msg = f"alb() needs keys=PEMClient(url): AWS is {match['partition']} there."
            raise ConfigurationError(msg)

        url = url.format(region=match["region"])
        defaults["keys"] = PEMClient(
            url, transport=options.get("transport", Transport())
        )

    return TrustedIssuer(issuer, audience=None, **{**defaults, **options})
