"""Read the command line, and call the command that it names.

No command lives here.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from asgi_auth.cli.demo import run_demo
from asgi_auth.errors import ConfigurationError

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: What follows the program's name; by default the process's.

    Returns:
        0, or 1 if a step was not as expected, or 2 for a wrong call.
    """
    options = _parser().parse_args(arguments)
    try:
        return run_demo(host=options.host, port=options.port, serve=options.serve)
    except ConfigurationError as error:
        sys.stderr.write(f"asgi-auth: {error}\n")
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="asgi-auth", description="Identify the callers of ASGI applications."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    demo = commands.add_parser(
        "demo",
        help="walk through a protected app on a real server",
        description="Start a small protected app on loopback and walk through it "
        "over real sockets: what was sent, what came back, who was seen.",
        epilog="example: asgi-auth demo --serve --port 8000",
    )
    demo.add_argument("--host", default="127.0.0.1", help="address to listen on")
    demo.add_argument("--port", type=int, default=0, help="port; 0 takes a free one")
    demo.add_argument(
        "--serve", action="store_true", help="keep the server up, to try with curl"
    )
    return parser
