"""What the tests of the reader of credentials share."""

from __future__ import annotations

from hypothesis import strategies as st

from asgi_auth import (
    BearerHeader,
    Cookie,
    InvalidRequestError,
    QueryParam,
    Subprotocol,
)
from asgi_auth.credentials.reader import CredentialReader
from asgi_auth.credentials.sources import Header
from tests.asgi import http_scope, websocket_scope
from tests.forge import b64

EVERYWHERE = (
    BearerHeader(),
    Cookie("access"),
    QueryParam("token", http=True),
    Subprotocol(),
)


READ = CredentialReader(EVERYWHERE).read
KUBERNETES = "base64url.bearer.authorization."


def from_header(*values, name=b"authorization"):
    return READ(http_scope(headers=[(name, value) for value in values]))


def from_cookies(*values):
    return READ(http_scope(headers=[(b"cookie", value) for value in values]))


def from_query(query):
    return READ(http_scope(query=query))


def from_offer(*names):
    return READ(websocket_scope(subprotocols=names))


def token_of(credential):
    assert credential.error is None
    return credential.token


def is_refused(credential, error=InvalidRequestError):
    return type(credential.error) is error and credential.token == b""


# A field that nobody sends: with it, no reader takes a short cut.
LONG_WAY = Header("X-Nobody-Sends-This")


OFFERS = st.lists(
    st.sampled_from(["bearer", "Bearer", "chat", "tok", "", "\xff"])
    | st.binary(max_size=6).map(lambda raw: KUBERNETES + b64(raw).decode())
    | st.text(max_size=5),
    max_size=6,
)
