"""Ask a Gradio interface as two callers at once, and print what its queue knew of them.

It runs in a process of its own: Gradio leaves an event loop open where it is imported.
"""

from __future__ import annotations

import asyncio
import json
import sys

import gradio
from fastapi import FastAPI

from asgi_auth import (
    AuthenticationMiddleware,
    JWTBackend,
    ScopePolicy,
    current_principal,
)
from asgi_auth.integrations.user_header import UserHeader
from tests import forge
from tests.asgi import bearer
from tests.integrations.acceptance import client_of

PATH = "/ui/gradio_api/call/tell"


def tell(word, request: gradio.Request):
    try:
        caller = current_principal().subject
    except Exception as error:  # noqa: BLE001  (That it is one is what counts.)
        caller = type(error).__name__

    return [word, caller, request.headers.get("x-forwarded-user")]


def interface():
    with gradio.Blocks() as page:
        box, button = gradio.Textbox(), gradio.Button()
        button.click(tell, box, gradio.JSON(), api_name="tell")

    return gradio.mount_gradio_app(FastAPI(), page, path="/ui")


async def ask(client, name):
    headers = [bearer(forge.token(sub=name)), (b"x-forwarded-user", b"root")]
    sent = await client.post(PATH, json={"data": [name]}, headers=headers)
    event = sent.json()["event_id"]
    answer = (await client.get(f"{PATH}/{event}", headers=headers)).text
    return json.loads(answer.partition("data: ")[2])[0]


async def main():
    page = interface()
    app = AuthenticationMiddleware(
        UserHeader(page, "X-Forwarded-User"),
        JWTBackend(forge.verifier()),
        required=True,
        scope_policy=ScopePolicy(track_current=True, strip_credentials=True),
    )
    async with page.router.lifespan_context(page), client_of(app) as client:
        status = (await client.get("/ui/")).status_code
        told = await asyncio.gather(ask(client, "ada"), ask(client, "bob"))

    sys.stdout.write(json.dumps({"anonymous": status, "told": told}))


if __name__ == "__main__":
    asyncio.run(main())
