"""What authentication adds to one request, middleware against middleware.

Each contestant's application is timed with and without authentication; the
difference counts. Requests are awaited one after the other in one task: a contestant
that never waits never meets the event loop, and one that does pays for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice, pairwise
from typing import Any

from asgi_auth._asgi import ASGIApp, Message, Scope
from benchmarks.contestants import CONTESTANTS, Kind, NotThereError, Pair, load
from benchmarks.material import Material, claims, forge, headers
from benchmarks.measure import Probe, interleave, of_function
from benchmarks.report import number, table

__all__ = [
    "CASES",
    "REFERENCE",
    "calls",
    "measure",
    "requests",
    "run",
    "show",
    "sockets",
]

REFERENCE = "Starlette + PyJWT"

# So many that none comes twice within a run: a table keeps some for very long.
_USERS = 30_000
_USERS_ASYMMETRIC = 10_500
_FORGED = 2_000
_MORE_THAN_REMEMBERED = 5_000

CASES = {
    "repeated": "the same good token each time",
    "unique": "a good token that is new each time, with all tables full",
    "none": "no token",
    "garbage": "a text that is no token",
    "forged": "a token with somebody else's signature",
    "expired": "a token that was good once",
    "8 KB": "a forged token of 8 000 bytes",
    "100 KB": "a forged token of 100 000 bytes",
    "websocket": "a socket with the same good ?token= each time",
}
_FOR_KEY_PAIRS = ("repeated", "unique", "none", "forged")


def run(rounds: int) -> dict[str, Any]:
    """Time everybody, with a secret and with a key pair."""
    wanted = [("HS256", case) for case in CASES]
    wanted += [("RS256", case) for case in _FOR_KEY_PAIRS]
    return asyncio.run(measure(CONTESTANTS, wanted, rounds))


async def measure(
    contestants: Iterable[str], wanted: Sequence[tuple[str, str]], rounds: int
) -> dict[str, Any]:
    """Time some *contestants* in some cases.

    Args:
        contestants: Names.
        wanted: Algorithm and case.
        rounds: How often each is timed.
    """
    stage = _Stage()
    for algorithm in dict.fromkeys(algorithm for algorithm, _ in wanted):
        stage.add_reference(algorithm)

    for name in contestants:
        try:
            build = load(name)
        except ImportError as error:
            stage.skipped.append(f"{name}: {error}")
            continue

        for algorithm, case in wanted:
            await stage.add(name, build, algorithm, case)

    probes = [*stage.references.values(), *stage.probes]
    await interleave(probes, rounds)
    return {
        "rounds": rounds,
        "decode_us": {name: probe.best for name, probe in stage.references.items()},
        "skipped": list(dict.fromkeys(stage.skipped)),
        "rows": [*stage.rows()],
    }


def show(result: dict[str, Any]) -> str:
    """Lay out microseconds, then ratios to the bare decoding."""
    parts = []
    for algorithm, decode in result["decode_us"].items():
        rows = [row for row in result["rows"] if row["algorithm"] == algorithm]
        cases = list(dict.fromkeys(row["case"] for row in rows))
        title = f"µs added to a request, {algorithm} (jwt.decode: {number(decode)})"
        parts.append(_lay_out(title, rows, cases, lambda row: row["added_us"]))
        title = f"the same as a part of jwt.decode, {algorithm}"
        parts.append(_lay_out(title, rows, cases, lambda row: row["of_decode"]))

    return "\n\n".join(parts)


def _lay_out(
    title: str,
    rows: Sequence[dict[str, Any]],
    cases: Sequence[str],
    value: Callable[[dict[str, Any]], float],
) -> str:
    found = {(row["contestant"], row["case"]): value(row) for row in rows}
    names = dict.fromkeys(row["contestant"] for row in rows)
    lines = [
        [name, *(number(found.get((name, case))) for case in cases)] for name in names
    ]
    return table([title, *cases], lines)


@dataclass
class _Entry:
    name: str
    algorithm: str
    case: str
    answer: str
    bare: Probe
    guarded: Probe


class _Stage:
    """Collects what is to be timed."""

    def __init__(self) -> None:
        self.references: dict[str, Probe] = {}
        self.skipped: list[str] = []
        self._materials: dict[str, Material] = {}
        self._entries: list[_Entry] = []
        self._users: dict[tuple[str, tuple[str, ...]], list[str]] = {}

    @property
    def probes(self) -> Iterator[Probe]:
        for entry in self._entries:
            yield entry.bare
            yield entry.guarded

    def add_reference(self, algorithm: str) -> None:
        """Time the bare ``jwt.decode`` along."""
        material = self._materials[algorithm] = Material(algorithm)
        self.references[algorithm] = of_function(
            ("jwt.decode", algorithm), material.decode, material.token()
        )

    async def add(
        self,
        name: str,
        build: Callable[[Material, Kind], Pair],
        algorithm: str,
        case: str,
    ) -> None:
        """Set one contestant up for one case, and see that it answers rightly."""
        kind: Kind = "websocket" if case == "websocket" else "http"
        try:
            pair = build(self._materials[algorithm], kind)
        except NotThereError as reason:
            self.skipped.append(f"{name}, {algorithm}, {kind}: {reason}")
            return

        tokens = self._tokens(algorithm, case, pair)
        make = sockets if kind == "websocket" else requests
        bare, answer = [
            await _answer(app, make(tokens)(1)[0]) for app in (pair.bare, pair.guarded)
        ]
        good = case in {"repeated", "unique", "websocket"}
        if bare not in _GOOD or (good and answer not in _GOOD):
            msg = f"{name}, {algorithm}, {case}: answers {answer}, and {bare} bare"
            raise RuntimeError(msg)

        # Each has its own turn through the tokens, or some would come back too soon.
        bare_items, items = make(tokens), make(tokens)
        if case == "forged":
            # As on any real server, where forgeries come between good tokens.
            warm = self._materials[algorithm].token(pair.adapt(claims()))
            await calls(pair.guarded)(make([warm])(1))

        if pair.remembers and case == "unique":
            await calls(pair.guarded)(items(_MORE_THAN_REMEMBERED))

        self._entries.append(
            _Entry(
                name,
                algorithm,
                case,
                answer,
                Probe((name, algorithm, case, "bare"), calls(pair.bare), bare_items),
                Probe((name, algorithm, case, "guarded"), calls(pair.guarded), items),
            )
        )

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield what was found."""
        added = {
            (e.name, e.algorithm, e.case): e.guarded.best - e.bare.best
            for e in self._entries
        }
        for entry in self._entries:
            own = added[entry.name, entry.algorithm, entry.case]
            peer = added.get((REFERENCE, entry.algorithm, entry.case))
            yield {
                "contestant": entry.name,
                "algorithm": entry.algorithm,
                "case": entry.case,
                "answer": entry.answer,
                "bare_us": entry.bare.best,
                "guarded_us": entry.guarded.best,
                "added_us": own,
                "of_decode": own / self.references[entry.algorithm].best,
                "of_starlette": None if peer is None else own / peer,
            }

    def _tokens(self, algorithm: str, case: str, pair: Pair) -> list[str | None]:
        material = self._materials[algorithm]
        alone = {
            "none": lambda: None,
            "garbage": lambda: "this-is-not-a-token",
            "expired": lambda: material.token(pair.adapt(claims(age=7200))),
            "repeated": lambda: material.token(pair.adapt(claims())),
            "websocket": lambda: material.token(pair.adapt(claims())),
            "8 KB": lambda: _long(material.token(), 8000),
            "100 KB": lambda: _long(material.token(), 100_000),
        }
        if case in alone:
            return [alone[case]()]

        users = self._users_for(material, pair)
        if case == "unique":
            return [*users]

        return [forge(token, other) for token, other in pairwise(users[: _FORGED + 1])]

    def _users_for(self, material: Material, pair: Pair) -> list[str]:
        shape = tuple(pair.adapt(claims()))
        key = (material.algorithm, shape)
        if key not in self._users:
            count = _USERS if material.is_symmetric else _USERS_ASYMMETRIC
            self._users[key] = material.tokens(count, pair.adapt)

        return self._users[key]


def _long(token: str, size: int) -> str:
    """Return a token of *size* bytes, whose signature matches nothing."""
    head, _, tail = token.split(".")
    return f"{head}.{'e' * (size - len(head) - len(tail) - 2)}.{tail}"


def requests(tokens: Sequence[str | None]) -> Callable[[int], list[Scope]]:
    endless = cycle(None if t is None else t.encode() for t in tokens)

    def make(count: int) -> list[Scope]:
        # Servers make new bytes for each request: nothing is interned or hashed yet.
        return [
            {
                "type": "http",
                "asgi": {"version": "3.0", "spec_version": "2.3"},
                "http_version": "1.1",
                "server": ("127.0.0.1", 8000),
                "client": ("127.0.0.1", 50000),
                "scheme": "http",
                "method": "GET",
                "root_path": "",
                "path": "/",
                "raw_path": b"/",
                "query_string": b"",
                "headers": headers(None if token is None else b"Bearer " + token),
                "state": {},
            }
            for token in islice(endless, count)
        ]

    return make


def sockets(tokens: Sequence[str | None]) -> Callable[[int], list[Scope]]:
    endless = cycle((token or "").encode() for token in tokens)

    def make(count: int) -> list[Scope]:
        return [
            {
                "type": "websocket",
                "asgi": {"version": "3.0", "spec_version": "2.3"},
                "http_version": "1.1",
                "server": ("127.0.0.1", 8000),
                "client": ("127.0.0.1", 50000),
                "scheme": "ws",
                "root_path": "",
                "path": "/",
                "raw_path": b"/",
                "query_string": b"token=" + token,
                "headers": headers(None),
                "subprotocols": [],
                "state": {},
                "extensions": {"websocket.http.response": {}},
            }
            for token in islice(endless, count)
        ]

    return make


_REQUEST: Message = {"type": "http.request", "body": b"", "more_body": False}
_CONNECT: Message = {"type": "websocket.connect"}


async def _receive_request() -> Message:
    return _REQUEST


async def _receive_connect() -> Message:
    return _CONNECT


async def _send(message: Message) -> None:
    return


def calls(app: ASGIApp) -> Callable[[Sequence[Scope]], Any]:
    async def run(scopes: Sequence[Scope]) -> None:
        socket = scopes[0]["type"] == "websocket"
        receive = _receive_connect if socket else _receive_request
        for scope in scopes:
            await app(scope, receive, _send)

    return run


_GOOD = {"200", "websocket.accept"}


async def _answer(app: ASGIApp, scope: Scope) -> str:
    """Return the status of the answer, or what happens to a socket."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    socket = scope["type"] == "websocket"
    await app(scope, _receive_connect if socket else _receive_request, send)
    return str(sent[0].get("status", sent[0]["type"]))
