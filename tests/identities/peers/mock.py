"""Run oidc-provider-mock until the parent goes: its warnings are none of ours."""

from __future__ import annotations

import json
import sys

from oidc_provider_mock import User, run_server_in_thread

users = [User(sub=sub, claims=claims) for sub, claims in json.loads(sys.argv[1])]
with run_server_in_thread(user_claims=users) as server:
    sys.stdout.write(f"http://localhost:{server.server_port}\n")
    sys.stdout.flush()
    sys.stdin.read()
