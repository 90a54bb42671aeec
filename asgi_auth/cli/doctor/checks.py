"""What the doctor looks for, one function a fault.

A check reads how things are set up. It calls nothing, connects to nothing, and shows no
secret.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import FunctionType
from typing import Any

from asgi_auth.cli.doctor.finding import Finding
from asgi_auth.cli.doctor.reach import holds_a_stack, layers_above, reachable
from asgi_auth.cli.doctor.secrets import doubt_of, place_of
from asgi_auth.cli.doctor.tools import misled_tools
from asgi_auth.credentials.sources import Cookie, QueryParam, Ticket
from asgi_auth.guards.wrapping import MARK
from asgi_auth.keys import Key
from asgi_auth.middleware import AuthenticationMiddleware
from asgi_auth.ratelimit.client_address import ClientAddresses
from asgi_auth.stores.memory import MemoryStore
from asgi_auth.tokens.claims import ClaimsRules

__all__ = ["CHECKS", "Check", "Patient", "examine"]


@dataclass(frozen=True)
class Patient:
    """An application, and all that it holds.

    Attributes:
        app: The application, as the server gets it.
        workers: Processes that it is served by.
        sources: Texts of the application's own modules, by file.
        names: What these modules name, by ``module.name``.
        behind_proxy: Its requests come through a proxy.
    """

    app: Any
    workers: int
    sources: Mapping[str, str]
    names: Mapping[str, Any] = field(default_factory=dict)
    behind_proxy: bool = False
    parts: list[Any] = field(init=False)

    def __post_init__(self) -> None:
        """Look through the application once."""
        object.__setattr__(self, "parts", [*reachable(self.app)])

    def having(self, *kinds: type) -> list[Any]:
        """Return the parts of some types."""
        return [part for part in self.parts if issubclass(type(part), kinds)]

    def named(self, name: str) -> list[Any]:
        """Return the parts of a type, or one below it, that needs an extra."""
        # Not every type can be in a set: a metaclass may compare in its own way.
        kinds = {id(type(part)): type(part) for part in self.parts}
        wanted = {
            number
            for number, kind in kinds.items()
            if any(base.__name__ == name for base in kind.__mro__)
        }
        return [part for part in self.parts if id(type(part)) in wanted]


Check = Callable[[Patient], Iterator[Finding]]


def examine(patient: Patient, further: tuple[Check, ...] = ()) -> list[Finding]:
    """Look for every fault; the same one is reported once.

    Args:
        patient: What to look at.
        further: Checks beside ``CHECKS``.
    """
    nobody = [] if patient.having(AuthenticationMiddleware) else [_NOBODY]
    findings = (fault for check in (*CHECKS, *further) for fault in check(patient))
    return [*nobody, *dict.fromkeys(findings)]


_NOBODY = Finding(
    "no-middleware",
    "The application has no AuthenticationMiddleware: nobody is identified.",
    "Wrap it: AuthenticationMiddleware(app, backend), or install(app, backend).",
)


def weak_key(patient: Patient) -> Iterator[Finding]:
    """A secret that can be guessed, or that all who have the code know."""
    for key in patient.having(Key):
        if not key.is_symmetric:
            continue

        secret = key.to_jwk(insecure_private=True)["k"]
        place = place_of(secret, patient.sources)
        doubt = f"stands in {place}" if place else doubt_of(secret)
        if doubt:
            yield Finding(
                "weak-key",
                f"The secret of key {key.kid} {doubt}.",
                "Make one with asgi-auth keygen, and keep it out of the code: "
                "KeySet.from_env() reads ASGI_AUTH_SECRET_KEY.",
            )


def missing_audience(patient: Patient) -> Iterator[Finding]:
    """Tokens that name no audience."""
    for rules in patient.having(ClaimsRules):
        addressed = rules.audience or rules.is_addressed
        if rules.kind == "access" and not addressed:
            yield Finding(
                "missing-audience",
                f"Access tokens of issuer {rules.issuer!r} name no audience: whoever "
                "has the key to verify them takes them for its own.",
                "Give TokenService or TokenVerifier an audience.",
            )


def insecure_cookie(patient: Patient) -> Iterator[Finding]:
    """Cookies that travel unencrypted, or that a subdomain can plant."""
    for cookies in patient.named("Cookies"):
        if cookies.insecure_for_localhost:
            yield Finding(
                "insecure-cookie",
                "AuthRoutes sets cookies without Secure and without a prefix.",
                "Leave insecure_for_localhost out of production.",
            )

        if cookies.domain is not None:
            yield Finding(
                "insecure-cookie",
                f"The cookies go to every host below {cookies.domain}, each of which "
                "can read them and set others in their place.",
                "Leave the domain out, or trust all of these hosts.",
            )

    for cookie in patient.having(Cookie):
        if not cookie.name.startswith(("__Host-", "__Secure-")):
            yield Finding(
                "insecure-cookie",
                f"Tokens are read from a cookie named {cookie.name!r}, which a "
                "neighbouring subdomain can plant.",
                f"Name it __Host-{cookie.name}: browsers then insist on Secure.",
            )


def memory_store(patient: Patient) -> Iterator[Finding]:
    """Sessions that only one of several workers knows."""
    if patient.workers > 1 and patient.having(MemoryStore):
        yield Finding(
            "memory-store",
            f"There are {patient.workers} workers, and sessions are in the memory of "
            "each: a log-out reaches one of them.",
            "Use SQLStore or RedisStore.",
        )


def query_token(patient: Patient) -> Iterator[Finding]:
    """Tokens in the addresses of requests, which are logged everywhere."""
    for query in patient.having(QueryParam):
        if query.http and not isinstance(query, Ticket):
            yield Finding(
                "query-token",
                f"Requests may carry tokens in their address (?{query.name}=…): they "
                "end up in histories, referrers and the logs of proxies.",
                "Use Ticket() and the route /ticket: it is good once, for one path.",
            )


def no_rate_limit(patient: Patient) -> Iterator[Finding]:
    """Log-in routes that do not limit guesses."""
    for context in patient.named("RouteContext"):
        if context.limiter is None:
            yield Finding(
                "no-rate-limit",
                "AuthRoutes counts no tries: passwords can be guessed.",
                "Give it a limiter without insecure_unlimited, or none.",
            )


def no_trusted_proxies(patient: Patient) -> Iterator[Finding]:
    """Users who all share the counters of the proxy that they come through."""
    if not patient.behind_proxy:
        return

    for addresses in patient.having(ClientAddresses):
        if not addresses.trusts_any:
            yield Finding(
                "no-trusted-proxies",
                "AuthRoutes takes the proxy for its client: whoever guesses passwords "
                "through it locks all users out.",
                "Name it: AuthRoutes(..., site=Site(trusted_proxies=[...])).",
            )


def wildcard_origin(patient: Patient) -> Iterator[Finding]:
    """Pages of any origin that may use the cookies of users."""
    for part in patient.parts:
        if _allows_everybody(part):
            yield Finding(
                "wildcard-origin",
                f"{type(part).__name__} lets pages of every origin send requests with "
                "the user's credentials, and read the answers.",
                "List the origins.",
            )


def hidden_middleware(patient: Patient) -> Iterator[Finding]:
    """Query tokens that others see before they are blanked."""
    for middleware in patient.having(AuthenticationMiddleware):
        kinds = map(type, reachable(middleware))
        if not any(issubclass(kind, QueryParam) for kind in kinds):
            continue

        layers = layers_above(patient.app, type(middleware))
        above = [patient.app] if layers is None else [*filter(_sees, layers)]
        if above:
            names = ", ".join(type(layer).__name__ for layer in above)
            yield Finding(
                "not-outermost",
                f"Tokens come in the query, and {names} above the middleware may see "
                "or log them.",
                "Put AuthenticationMiddleware outermost.",
            )


def skipped_guard(patient: Patient) -> Iterator[Finding]:
    """A guard above the decorator that makes a route: the route is without it."""
    ids = {id(part) for part in patient.parts}
    for name, guarded in patient.names.items():
        inner = [*_behind(guarded)]
        if id(guarded) not in ids and any(id(one) in ids for one in inner):
            yield Finding(
                "skipped-guard",
                f"{name} is guarded, and the application calls what is behind the "
                "guard: everybody gets there.",
                "Put the guard below the decorator that makes the route.",
            )


def hidden_cors(patient: Patient) -> Iterator[Finding]:
    """CORS middleware that no preflight ever reaches."""
    kinds = {type(part) for part in patient.named("CORSMiddleware")}
    for guard in patient.having(AuthenticationMiddleware):
        inside = [layers_above(guard._app, kind) for kind in kinds]  # noqa: SLF001
        if guard._required and any(layers is not None for layers in inside):  # noqa: SLF001
            yield Finding(
                "hidden-cors",
                "The CORS middleware stands inside of AuthenticationMiddleware, which "
                "refuses preflights under required=True.",
                "Put the CORS middleware around it, or call install(app, backend).",
            )


def misled_tool(patient: Patient) -> Iterator[Finding]:
    """Counters and tracers that see a crash where a guard refuses."""
    for guard in patient.having(AuthenticationMiddleware):
        for name in misled_tools(guard._app):  # noqa: SLF001
            yield Finding(
                "misled-tool",
                f"{name} stands within AuthenticationMiddleware, and takes what guards "
                "on handlers refuse for crashes.",
                "Call install(app, backend), or put RefusalMiddleware within it.",
            )


CHECKS: tuple[Check, ...] = (
    weak_key,
    missing_audience,
    insecure_cookie,
    memory_store,
    query_token,
    no_rate_limit,
    no_trusted_proxies,
    wildcard_origin,
    hidden_middleware,
    hidden_cors,
    misled_tool,
    skipped_guard,
)

_ANYBODY = ("https://anybody.example", "https://any.body.com", "https://anybody.com")
# What stands around every application, and CORS, whose place is outside of ours.
_OWN = (
    "starlette.middleware.errors.",
    "starlette.middleware.cors.",
    "fastapi.telemetry.",
    "fastapi._",
    "litestar.middleware._internal.cors.",
)


def _behind(guarded: Any) -> Iterator[Any]:
    """Yield the functions that a guarded function stands before."""
    if type(guarded) is not FunctionType or MARK not in vars(guarded):
        return

    ids = {id(guarded)}
    while type(guarded) is FunctionType:
        guarded = vars(guarded).get("__wrapped__")
        if guarded is None or id(guarded) in ids:
            return  # Nothing is behind it; or the application has made a circle.

        ids.add(id(guarded))
        yield guarded


def _allows_everybody(part: Any) -> bool:
    """Recognise CORS settings of whatever framework that trust every origin."""
    # Not without looking: what has none may compute one.
    attributes = part.__dict__ if type(part).__dictoffset__ else None
    if type(attributes) is not dict or not _with_credentials(attributes):
        return False

    origins = attributes.get("allow_origins")
    if isinstance(origins, list | tuple | set | frozenset) and "*" in origins:
        return True

    pattern = attributes.get("allow_origin_regex")
    with contextlib.suppress(TypeError, re.error):
        return any(re.fullmatch(pattern or "(?!)", origin) for origin in _ANYBODY)

    return False


def _with_credentials(attributes: Mapping[str, Any]) -> bool:
    if attributes.get("allow_credentials") is True:
        return True

    headers = attributes.get("simple_headers")  # Starlette keeps it here only.
    return isinstance(headers, Mapping) and (
        headers.get("Access-Control-Allow-Credentials") == "true"
    )


def _sees(layer: Any) -> bool:
    """Say whether a layer may look at queries; frameworks' own hand them on."""
    kind = type(layer)
    path = f"{kind.__module__}.{kind.__name__}"
    return not (path.startswith(_OWN) or holds_a_stack(layer))
