"""The doctor: looks through an application for what is insecure as it is set up."""

from __future__ import annotations

from asgi_auth.cli.doctor.command import add

__all__ = ["add"]
