"""Examine an application, and tell what was found."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from asgi_auth.cli._say import remark, say, say_json
from asgi_auth.cli.doctor.checks import Patient, examine
from asgi_auth.cli.doctor.finding import Finding
from asgi_auth.cli.doctor.load import load_app
from asgi_auth.errors import ConfigurationError

__all__ = ["add"]


def add(commands: Any) -> None:
    """Describe the command ``doctor``."""
    parser = commands.add_parser(
        "doctor",
        help="look for what is insecure in an application",
        description="Import an application and look through it: weak keys, a missing "
        "audience, insecure cookies, sessions in the memory of several workers, "
        "tokens in addresses, log-ins without a rate limit, wildcard origins, "
        "guards above the decorator of a route, and a middleware that is not "
        "outermost while tokens come in the query. The exit "
        "status is 0 if nothing was found, 1 if something was, 2 if it cannot be told.",
        epilog="examples:\n"
        "  asgi-auth doctor app.main:app\n"
        "  asgi-auth doctor app.main:make_app --factory --workers 4\n"
        "  asgi-auth doctor app.main:app --ignore missing-audience --json",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("app", help="module:app, as servers take it")
    parser.add_argument(
        "--factory", action="store_true", help="it is a function that makes the app"
    )
    parser.add_argument(
        "--workers",
        type=int,
        help="processes that serve it; by default WEB_CONCURRENCY, or 1",
    )
    parser.add_argument(
        "--behind-proxy", action="store_true", help="requests come through a proxy"
    )
    parser.add_argument(
        "--ignore",
        action="append",
        default=[],
        metavar="CODE",
        help="leave a fault out; may come again",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    app = load_app(options.app, factory=options.factory)
    own = _own_modules()
    patient = Patient(
        app,
        _workers(options.workers),
        _sources(own),
        _names(own),
        behind_proxy=options.behind_proxy,
    )
    found = [f for f in examine(patient) if f.code not in options.ignore]
    if options.json:
        say_json({"app": options.app, "faults": list(map(_told, found))})
        return int(bool(found))

    for fault in found:
        say(f"{fault.code}: {fault.text}\n    {fault.advice}")

    faults = "1 fault." if len(found) == 1 else f"{len(found)} faults."
    remark(faults if found else "Nothing was found.")
    return int(bool(found))


def _told(fault: Finding) -> dict[str, str]:
    return {"code": fault.code, "text": fault.text, "advice": fault.advice}


def _workers(told: int | None) -> int:
    if told is not None:
        return told

    text = os.environ.get("WEB_CONCURRENCY") or "1"
    if not text.isdecimal():
        msg = "WEB_CONCURRENCY is no number."
        raise ConfigurationError(msg)

    return int(text)


def _own_modules() -> dict[Path, ModuleType]:
    """Return the modules that lie below the current folder, by file."""
    loaded = [module for module in sys.modules.values() if type(module) is ModuleType]
    files = ((vars(module).get("__file__"), module) for module in loaded)
    found = {Path(file): module for file, module in files if isinstance(file, str)}
    here = Path.cwd()
    return {path: found[path] for path in sorted(found) if _is_own(path, here)}


def _sources(modules: Iterable[Path]) -> dict[str, str]:
    here = Path.cwd()
    return {
        path.relative_to(here).as_posix(): path.read_text("utf-8", "replace")
        for path in modules
    }


def _names(modules: Mapping[Path, ModuleType]) -> dict[str, Any]:
    return {
        f"{module.__name__}.{name}": value
        for module in modules.values()
        for name, value in vars(module).items()
    }


def _is_own(path: Path, here: Path) -> bool:
    installed = "site-packages" in path.parts
    return path.suffix == ".py" and path.is_relative_to(here) and not installed
