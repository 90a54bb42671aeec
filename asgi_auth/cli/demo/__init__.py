"""The demo: a small protected app, a real server, and a walk through it."""

from __future__ import annotations

from asgi_auth.cli.demo.command import run_demo

__all__ = ["run_demo"]
