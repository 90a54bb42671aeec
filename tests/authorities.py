"""Lets the clients of tests trust one authority, which is nobody's: its key is gone.

To read those of all the world takes each client tens of milliseconds, and thousands of
clients are made. A test that speaks TLS names the authority that it trusts.
"""

from __future__ import annotations

import importlib.util
import os
import ssl
from pathlib import Path

NOBODY = str(Path(__file__).with_name("nobody.pem"))


def trust_nobody() -> None:
    """Have this process, and those that it starts, read no other authorities."""
    os.environ["SSL_CERT_FILE"] = NOBODY
    paths = ssl.get_default_verify_paths()
    only = paths._replace(cafile=NOBODY, openssl_cafile=NOBODY, openssl_capath="")
    ssl.get_default_verify_paths = lambda: only
    if importlib.util.find_spec("certifi") is not None:
        import certifi

        certifi.where = lambda: NOBODY
