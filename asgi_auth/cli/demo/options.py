"""The options of the demo on the command line."""

from __future__ import annotations

import argparse
from typing import Any

from asgi_auth.cli.demo.command import run_demo

__all__ = ["add"]


def add(commands: Any) -> None:
    """Describe the command ``demo``."""
    parser = commands.add_parser(
        "demo",
        help="walk through a protected app on a real server, or serve a page",
        description="Start a small protected app on loopback and walk through it "
        "over real sockets: what was sent, what came back, who was seen. With "
        "--serve, serve a page on which to try everything in a browser.",
        epilog="examples:\n"
        "  asgi-auth demo\n"
        "  asgi-auth demo --serve --port 8000\n"
        "  asgi-auth demo --serve --store postgresql://user@localhost/demo",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=0, help="port; 0 takes a free one")
    parser.add_argument(
        "--serve", action="store_true", help="serve the page until it is stopped"
    )
    parser.add_argument(
        "--store",
        metavar="URL",
        help="where the page keeps sessions: sqlite:///…, postgresql://…, redis://…; "
        "by default a file that is gone at the end",
    )
    parser.add_argument(
        "--access-ttl",
        metavar="SECONDS",
        type=float,
        default=60,
        help="how long an access token of the page lives; by default 60",
    )
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    return run_demo(
        host=options.host,
        port=options.port,
        serve=options.serve,
        store=options.store,
        access_ttl=options.access_ttl,
    )
