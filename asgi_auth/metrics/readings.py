"""What there is to measure, whoever exports it.

What happened is counted as events come in; how things stand is asked at each scrape. It
knows no library of metrics.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

from asgi_auth._drivers.outages import known_outages
from asgi_auth.backends.trusted import TrustedIssuer
from asgi_auth.events import Event
from asgi_auth.keys.jwks import JWKSClient
from asgi_auth.lifetime.deadlines import open_sockets
from asgi_auth.passwords.load import hashing
from asgi_auth.sessions import TokenService

__all__ = ["FAMILIES", "Exporter", "Family", "Readings", "Samples", "merged"]

Samples = dict[tuple[str, ...], float]
"""Values, by those of the labels."""

_MOST = 2000
_OTHER = "other"


class Family(NamedTuple):
    """One thing that is measured.

    Attributes:
        kind: A counter only goes up.
        text: What it is.
        labels: By which its values are told apart.
        unit: In the words of OpenTelemetry (UCUM).
    """

    kind: Literal["counter", "gauge"]
    text: str
    labels: tuple[str, ...] = ()
    unit: str = "1"


FAMILIES: dict[str, Family] = {
    "requests_refused": Family(
        "counter",
        "Requests and sockets that were refused",
        ("app", "code", "status", "backend", "source"),
    ),
    "credentials_ignored": Family(
        "counter",
        "Bad credentials that passed as nobody's",
        ("app", "code", "backend", "source"),
    ),
    "refreshes": Family("counter", "Refresh tokens that came in", ("app", "outcome")),
    "logins": Family("counter", "Log-ins", ("app", "outcome")),
    "events": Family("counter", "Events of any kind", ("app", "name")),
    "tokens_recognised": Family(
        "counter", "Good tokens, by whether they were remembered", ("app", "result")
    ),
    "tokens_remembered": Family(
        "gauge", "Tokens in the table of verified ones", ("app",)
    ),
    "revocations_held": Family("gauge", "Revocations in this process", ("app",)),
    "ready": Family("gauge", "Whether it is known what is revoked", ("app",)),
    "jwks_age": Family(
        "gauge", "Since the keys of an issuer were fetched", ("app", "issuer"), "s"
    ),
    "dependency_up": Family(
        "gauge", "Whether a store or an endpoint serves", ("kind", "place")
    ),
    "password_hashes_running": Family("gauge", "Passwords that are being hashed"),
    "password_hashes_waiting": Family("gauge", "Passwords that wait to be hashed"),
    "connections_open": Family("gauge", "Open sockets and streams of known callers"),
}
"""All that is counted or asked, by name without a prefix."""

_VERDICTS = {
    "request.refused": "requests_refused",
    "credential.ignored": "credentials_ignored",
}
_LOGINS = {"succeeded", "failed", "locked", "reauthenticated"}
_REFRESHES = {"rotated", "retried", "reused"}


class Readings:
    """The measures of one application.

    Args:
        app: What it is called, where several share a registry.
    """

    def __init__(self, app: str = "") -> None:
        self._app = app
        self._tokens: TokenService | None = None
        self._issuers: tuple[TrustedIssuer, ...] = ()
        self._counts: Counter[tuple[str, tuple[str, ...]]] = Counter()
        self._lock = threading.Lock()

    def watch(
        self, tokens: TokenService | None, issuers: Iterable[TrustedIssuer]
    ) -> None:
        """Ask these parts at each scrape.

        Args:
            tokens: The application's token service.
            issuers: Whose keys it fetches.
        """
        self._tokens, self._issuers = tokens, tuple(issuers)

    def hear(self, event: Event) -> None:
        """Count an event; any thread may call this."""
        group, _, outcome = event.name.partition(".")
        self._count("events", event.name)
        detail = {name: str(value or "") for name, value in event.detail.items()}
        verdict = _VERDICTS.get(event.name)
        if verdict is not None:
            labels = FAMILIES[verdict].labels[1:]
            self._count(verdict, *(detail.get(name, "") for name in labels))
        elif group == "session" and outcome in _REFRESHES:
            self._count("refreshes", outcome)
        elif group == "login" and outcome in _LOGINS:
            self._count("logins", outcome)

    def collect(self) -> Iterator[tuple[str, Samples]]:
        """Yield what was counted, and how things stand."""
        with self._lock:
            counts = dict(self._counts)

        families: dict[str, Samples] = {}
        for (name, labels), count in counts.items():
            families.setdefault(name, {})[self._app, *labels] = count

        yield from families.items()
        if self._tokens is not None:
            yield from self._of_tokens(self._tokens)

        ages = self._ages()
        if ages:
            yield "jwks_age", ages

    def _count(self, name: str, *labels: str) -> None:
        with self._lock:
            key = name, labels
            # What an application makes up may not make this grow without a bound.
            if len(self._counts) >= _MOST and key not in self._counts:
                key = name, (_OTHER,) * len(labels)

            self._counts[key] += 1

    def _of_tokens(self, tokens: TokenService) -> Iterator[tuple[str, Samples]]:
        stats = tokens.verifier.cache_stats()
        hits: Samples = {
            (self._app, "hit"): stats.hits,
            (self._app, "miss"): stats.misses,
        }
        yield "tokens_recognised", hits
        yield "tokens_remembered", {(self._app,): stats.size}
        yield "revocations_held", {(self._app,): tokens.revocations.size}
        yield "ready", {(self._app,): float(tokens.revocations.ready)}

    def _ages(self) -> Samples:
        clients = [(issuer.issuer or "", issuer.client) for issuer in self._issuers]
        ages = {
            (self._app, name): client.stats().age
            for name, client in clients
            if isinstance(client, JWKSClient)
        }
        return {labels: age for labels, age in ages.items() if age is not None}


def _of_process() -> Iterator[tuple[str, Samples]]:
    """Yield how things stand in this process, whatever applications it has."""
    up: Samples = {}
    for each in known_outages():
        # Several parts may be connected to one place.
        is_up = float(each.since is None)
        up[each.kind, each.place] = min(is_up, up.get((each.kind, each.place), 1.0))

    yield "dependency_up", up
    yield "password_hashes_running", {(): hashing.running.count}
    yield "password_hashes_waiting", {(): hashing.waiting.count}
    yield "connections_open", {(): open_sockets()}


def merged(all_readings: Sequence[Readings]) -> dict[str, Samples]:
    """Return what all applications of a registry say, and their process."""
    families: dict[str, Samples] = {}
    for readings in all_readings:
        for name, samples in readings.collect():
            families.setdefault(name, {}).update(samples)

    families.update(_of_process())
    return families


class Exporter:
    """What counts the events of one application, whichever library shows them.

    Attributes:
        readings: What was counted, and how things stand.

    Args:
        app: What it is called, where several are shown in one place.
    """

    def __init__(self, app: str) -> None:
        self.readings: Readings = Readings(app)

    def watch(
        self,
        tokens: TokenService | None = None,
        issuers: Iterable[TrustedIssuer] = (),
    ) -> None:
        """Show how these parts stand, too.

        Args:
            tokens: The application's token service.
            issuers: Whose keys it fetches.
        """
        self.readings.watch(tokens, issuers)

    def __call__(self, event: Event) -> None:
        """Count an event."""
        self.readings.hear(event)
