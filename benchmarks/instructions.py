"""Count what one request executes in the package: a speed that no machine changes.

Bytecode instructions and calls of Python functions within ``asgi_auth``; time spent
in C, in PyJWT and in the standard library does not show. The tests keep the counts
from growing.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Callable, Coroutine
from itertools import count
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import asgi_auth
from asgi_auth import AuthenticationMiddleware, JWTBackend, TokenService
from asgi_auth._asgi import ASGIApp, Receive, Scope, Send
from benchmarks.asgi import requests, sockets
from benchmarks.contestants import ours, ours_uncached
from benchmarks.material import AUDIENCE, ISSUER, Material, forge
from benchmarks.report import table

__all__ = ["PATHS", "Counts", "count_path", "run", "show"]

_HOME = str(Path(asgi_auth.__file__).parent)
_WARM_UP = 50


class Counts:
    """What was executed.

    Attributes:
        instructions: By name of the function.
        calls: By name of the function.
    """

    def __init__(self) -> None:
        self.instructions: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()


def run(rounds: int) -> dict[str, Any]:
    """Count every path once; it comes out the same each time."""
    return {
        "rounds": 1,
        "python": sys.version.split()[0],
        "rows": [
            {
                "path": path,
                "instructions": counts.instructions.total(),
                "calls": counts.calls.total(),
                "functions": {
                    name: [counts.calls[name], instructions]
                    for name, instructions in counts.instructions.most_common()
                },
            }
            for path in PATHS
            for counts in (count_path(path),)
        ],
    }


def show(result: dict[str, Any]) -> str:
    """Lay out a table for each path."""
    parts = []
    for row in result["rows"]:
        head = [row["path"], "calls", "instructions"]
        rows = [[name, *numbers] for name, numbers in row["functions"].items()]
        total = ["together", row["calls"], row["instructions"]]
        parts.append(table(head, [*rows, total]))

    return "\n\n".join(parts)


def count_path(path: str) -> Counts:
    """Count one request on one of the :data:`PATHS`."""
    return asyncio.run(_count(*PATHS[path]()))


async def _count(app: ASGIApp, scopes: Callable[[], Scope]) -> Counts:
    for _ in range(_WARM_UP):
        _drive(app, scopes())

    counts = Counts()
    scope = scopes()
    observe = _monitored if sys.version_info >= (3, 12) else _traced
    observe(lambda: _drive(app, scope), counts)
    return counts


def _hit() -> tuple[ASGIApp, Callable[[], Scope]]:
    material = Material("HS256")
    return _ours(material), _endless(requests([material.token()]))


def _miss() -> tuple[ASGIApp, Callable[[], Scope]]:
    """Each token is new, and the table has room: evictions vary too much to count."""
    material = Material("HS256")
    return _ours(material), _endless(requests(material.tokens(_WARM_UP + 1, dict)))


def _uncached() -> tuple[ASGIApp, Callable[[], Scope]]:
    material = Material("HS256")
    app = ours_uncached.build(material, "http").guarded
    return app, _endless(requests([material.token()]))


def _forged() -> tuple[ASGIApp, Callable[[], Scope]]:
    material = Material("HS256")
    forged = forge(material.token(), material.token())
    return _ours(material), _endless(requests([forged]))


def _none() -> tuple[ASGIApp, Callable[[], Scope]]:
    return _ours(Material("HS256")), _endless(requests([None]))


def _socket() -> tuple[ASGIApp, Callable[[], Scope]]:
    material = Material("HS256")
    app = ours.build(material, "websocket").guarded
    return app, _endless(sockets([material.token()]))


def _stream() -> tuple[ASGIApp, Callable[[], Scope]]:
    """Count server-sent events, which end with their token."""
    material = Material("HS256")
    tokens = TokenService(material.keys, issuer=ISSUER, audience=AUDIENCE)
    app = AuthenticationMiddleware(_events, JWTBackend(tokens))
    return app, _endless(requests([material.token()]))


async def _events(scope: Scope, receive: Receive, send: Send) -> None:
    headers = [(b"content-type", b"text/event-stream")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"data: 1\n\n"})


PATHS = {
    "hit": _hit,
    "miss": _miss,
    "miss, cache off": _uncached,
    "forged": _forged,
    "none": _none,
    "websocket hit": _socket,
    "stream hit": _stream,
}
"""Each makes an application, and a maker of requests for it."""


def _ours(material: Material) -> ASGIApp:
    return ours.build(material, "http").guarded


def _endless(make: Callable[[int], list[Scope]]) -> Callable[[], Scope]:
    return lambda: make(1)[0]


async def _receive() -> dict[str, Any]:
    return {"type": "websocket.connect"}


async def _send(message: Any) -> None:
    return


def _drive(app: ASGIApp, scope: Scope) -> None:
    """Run one request in one go: nothing on these paths may wait."""
    running: Coroutine[Any, Any, None] = app(scope, _receive, _send)  # type: ignore[assignment]
    try:
        running.send(None)
    except StopIteration:
        return

    running.close()
    msg = "the path has waited for something"
    raise RuntimeError(msg)


def _name(code: CodeType) -> str:
    room = Path(code.co_filename).relative_to(_HOME).with_suffix("").as_posix()
    return f"{room}: {code.co_qualname}"


def _monitored(call: Callable[[], None], counts: Counts) -> None:
    """Count with sys.monitoring (PEP 669)."""
    monitoring = sys.monitoring
    events, tool = monitoring.events, _free_tool()

    def counted(counter: Counter[str]) -> Callable[[CodeType, int], Any]:
        def note(code: CodeType, offset: int) -> Any:
            if not code.co_filename.startswith(_HOME):
                return monitoring.DISABLE

            counter[_name(code)] += 1
            return None

        return note

    monitoring.use_tool_id(tool, "benchmarks")
    try:
        monitoring.register_callback(
            tool, events.INSTRUCTION, counted(counts.instructions)
        )
        monitoring.register_callback(tool, events.PY_START, counted(counts.calls))
        monitoring.set_events(tool, events.INSTRUCTION | events.PY_START)
        call()
    finally:
        monitoring.set_events(tool, 0)
        monitoring.free_tool_id(tool)
        monitoring.restart_events()


def _free_tool() -> int:
    # Coverage and debuggers hold some of the six.
    return next(n for n in count() if sys.monitoring.get_tool(n) is None)


def _traced(call: Callable[[], None], counts: Counts) -> None:
    """Count with a trace function, where there is no sys.monitoring."""

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        if not frame.f_code.co_filename.startswith(_HOME):
            return None

        if event == "call":
            frame.f_trace_opcodes, frame.f_trace_lines = True, False
            counts.calls[_name(frame.f_code)] += 1
        elif event == "opcode":
            counts.instructions[_name(frame.f_code)] += 1

        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(before)
