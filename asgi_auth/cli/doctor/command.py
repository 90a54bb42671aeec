"""Examine an application, and report what was found."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from asgi_auth.cli._say import remark, say, say_json
from asgi_auth.cli._secrets import read_token
from asgi_auth.cli.doctor.checks import Patient, examine
from asgi_auth.cli.doctor.finding import Finding
from asgi_auth.cli.doctor.load import load_app
from asgi_auth.cli.doctor.serving import SERVING_CHECKS
from asgi_auth.cli.doctor.stores import unready_stores
from asgi_auth.cli.doctor.token import explain_token
from asgi_auth.errors import ConfigurationError
from asgi_auth.middleware import AuthenticationMiddleware

__all__ = ["add"]

_DESCRIPTION = """\
Import an application and look through it for what is insecure:
  weak keys, tokens without an audience, EdDSA where Ed25519 is meant,
  insecure cookies, tokens in addresses, wildcard origins,
  sessions, accounts or counters in the memory of several workers,
  log-ins without a rate limit or with a loose one, proxies that are not named,
  guards above the decorator of a route, and middleware in the wrong place.
The exit status is 0 if nothing was found, 1 if something was, and 2 if it
cannot be told. Nothing is connected to without --connect or --token."""


def add(commands: Any) -> None:
    """Describe the command ``doctor``."""
    parser = commands.add_parser(
        "doctor",
        help="look for what is insecure in an application",
        description=_DESCRIPTION,
        epilog="examples:\n"
        "  asgi-auth doctor app.main:app\n"
        "  asgi-auth doctor app.main:make_app --factory --workers 4\n"
        "  asgi-auth doctor app.main:app --ignore missing-audience --json\n"
        "  asgi-auth doctor app.main:app --connect\n"
        "  asgi-auth doctor app.main:app --token - < token.txt",
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
    parser.add_argument(
        "--connect",
        action="store_true",
        help="ask the databases whether their tables are as they should be",
    )
    parser.add_argument(
        "--token",
        choices=["-"],
        help="explain the token on the standard input: which backend claims it, and "
        "which rule refuses it; this may ask a store, or fetch keys",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    app = load_app(options.app, factory=options.factory)
    if not callable(app):
        msg = f"{options.app} is a {type(app).__name__}, and no ASGI application."
        raise ConfigurationError(msg)

    own = _own_modules()
    patient = Patient(
        app,
        _workers(options.workers),
        _sources(own),
        _names(own),
        behind_proxy=options.behind_proxy,
    )
    if options.token is not None:
        return _explain(patient, json=options.json)

    faults = examine(patient, SERVING_CHECKS)
    if options.connect:
        faults += asyncio.run(unready_stores(patient))

    findings = [fault for fault in faults if fault.code not in options.ignore]
    if options.json:
        say_json({"app": options.app, "faults": list(map(_members_of, findings))})
        return int(bool(findings))

    for fault in findings:
        say(f"{fault.code}: {fault.text}\n    {fault.advice}")

    total = "1 fault." if len(findings) == 1 else f"{len(findings)} faults."
    remark(total if findings else "Nothing was found.")
    return int(bool(findings))


def _explain(patient: Patient, *, json: bool) -> int:
    middlewares = patient.having(AuthenticationMiddleware)
    is_good, lines = explain_token(middlewares, read_token())
    if json:
        say_json({"accepted": is_good, "explanation": lines})
    else:
        say("\n".join(lines))

    return int(not is_good)


def _members_of(fault: Finding) -> dict[str, str]:
    return {"code": fault.code, "text": fault.text, "advice": fault.advice}


def _workers(number: int | None) -> int:
    if number is not None:
        return number

    text = os.environ.get("WEB_CONCURRENCY") or "1"
    if not text.isdecimal():
        msg = "WEB_CONCURRENCY is no number."
        raise ConfigurationError(msg)

    return int(text)


def _own_modules() -> dict[Path, ModuleType]:
    """Return the modules that lie below the current folder, by file."""
    loaded = [module for module in sys.modules.values() if type(module) is ModuleType]
    files = ((vars(module).get("__file__"), module) for module in loaded)
    modules = {Path(file): module for file, module in files if isinstance(file, str)}
    here = Path.cwd()
    return {path: modules[path] for path in sorted(modules) if _is_own(path, here)}


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
