"""The demo: a protected app on a real server, a walk through it, and a page."""

from __future__ import annotations

from asgi_auth.cli.demo.command import run_demo
from asgi_auth.cli.demo.options import add

__all__ = ["add", "run_demo"]
