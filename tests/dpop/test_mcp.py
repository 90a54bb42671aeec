"""A server of the Model Context Protocol takes bound tokens as any other app does."""

from __future__ import annotations

import json

from mcp.server.auth.middleware.auth_context import get_access_token

from asgi_auth import JWTBackend
from asgi_auth.integrations.mcp import install
from asgi_auth.metadata import ProtectedResource
from tests import forge
from tests.asgi import run
from tests.dpop import proofs
from tests.dpop.proofs import bound_token, headers, proof


async def tool(scope, receive, send):
    token = get_access_token()
    said = {"subject": token.subject, "jkt": token.claims["cnf"]["jkt"]}
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": json.dumps(said).encode()})


async def test_a_tool_knows_the_caller_who_has_the_key_and_no_thief():
    policy = proofs.dpop(required=True)
    resource = ProtectedResource(
        f"{proofs.ORIGIN}/orders", issuers=[forge.ISSUER], more=policy.resource_metadata
    )
    backend = JWTBackend(
        forge.verifier("ES256"), challenge=resource.challenge, confirmations=[policy]
    )
    app = resource.around(install(tool, backend, required=True))
    token = bound_token()
    made = proof(token, htm="POST")
    answer = await run(app, "/orders", method="POST", headers=headers(token, made))
    said = {"subject": "ada", "jkt": proofs.CLIENT.thumbprint()}
    assert (answer.status, answer.json()) == (200, said)

    thief = await run(app, "/orders", method="POST", headers=headers(token, made))
    assert thief.status == 401
    challenge = thief.header("www-authenticate")
    assert challenge.startswith("DPoP ")
    assert 'error="invalid_dpop_proof"' in challenge
    assert f'resource_metadata="{resource.url}"' in challenge
    document = await run(app, "/.well-known/oauth-protected-resource/orders")
    assert document.json()["dpop_bound_access_tokens_required"] is True
