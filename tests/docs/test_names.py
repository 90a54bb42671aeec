"""Every public name leads to an example or a page about it, but for those named here.

A name on this list is one that is returned, raised or filled in for you: whoever meets
it reads what it has, and types it in an annotation at most.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

FACES = Path(__file__).parents[2] / "docs" / "faces.py"

WITHOUT = {
    "what is raised where pages and routes answer by themselves": """
        errors.ActorRefusedError errors.CrossOriginError
        errors.InvalidRequestError errors.MethodNotAllowedError
        errors.UnknownSubjectError factors.StaleFactorError
        identities.IdentityTakenError keys.SealedValueError
        lifetime.SocketClosedError passkeys.DuplicatePasskeyError
        passkeys.UnknownPasskeyError websocket.BadMessageError
        websocket.ForbiddenRoomError
    """,
    "what is returned, or handed to a function of yours": """
        backends.APIKey credentials.Credential factors.FactorRecord
        identities.Identity passkeys.Passkey
        routes.LoginRequest routes.TokenPayload routes.TokenResponse
        routes.UserResponse stores.NewSession websocket.Member
        websocket.WebSocketConnection
    """,
    "a protocol, which what you write satisfies without importing it": """
        credentials.Source identities.IdentityStore passkeys.PasskeyStore
        typing.Claims typing.Confirmation typing.Recognises websocket.Fanout
    """,
    "what a page describes by its name in a text, or by another's": """
        AuthConfig integrations.channels.log_out
        integrations.django_rest.PrincipalAuthentication
        integrations.litestar.Guard
    """,
}


def load_faces():
    """Import the extension as Sphinx does, with its neighbours on the path."""
    spec = importlib.util.spec_from_file_location("documented_faces", FACES)
    faces = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FACES.parent))
        spec.loader.exec_module(faces)

    return faces


def without_example():
    """Name what the reference leads to no page, and all that it describes."""
    faces = load_faces()
    described = {
        (module, name)
        for module, names in faces.pages().items()
        for name in names
        if faces.page_of(module, name) == module
    }
    bare = {pair for pair in described if not faces.examples_of(*pair)}
    return [
        {".".join(pair).removeprefix("asgi_auth.") for pair in pairs}
        for pairs in (bare, described)
    ]


def test_only_names_with_a_reason_lead_to_no_example():
    bare, described = without_example()
    reasoned = {name for names in WITHOUT.values() for name in names.split()}
    assert sorted(bare - reasoned) == [], "give each an example, or a reason here"
    # What has an example by now needs no reason; what is gone, none either.
    assert sorted((reasoned & described) - bare) == []


def test_most_names_lead_to_one():
    bare, described = without_example()
    assert len(bare) <= 80
    assert len(bare) < len(described) / 4


def test_what_a_name_gives_back_stands_with_its_description():
    faces = load_faces()
    page = FACES.parent / "reference" / "values.md"
    headings = page.read_text("utf-8").count("\n## asgi_auth.")
    examples = faces.values()
    assert len(examples) == headings > 25
    for module, name in examples:
        described = faces.described_by(module, name)
        assert ".. code-block:: python" in described, (module, name)
        assert "# → " in described
