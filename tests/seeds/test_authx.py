"""AuthX's example: an own class of users, log-in, a guarded route and a socket.

The names are ours; what a client sends and gets is the example's.
"""

from __future__ import annotations

import pytest
from passlib.context import CryptContext
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient, WebSocketDenialResponse

from asgi_auth import (
    AuthConfig,
    AuthenticationMiddleware,
    AuthError,
    BearerHeader,
    ConfigurationError,
    ExpiredTokenError,
    InvalidCredentialsError,
    InvalidTokenError,
    JWTBackend,
    QueryParam,
    TokenService,
    UnknownSubjectError,
    get_user,
    requires,
)
from asgi_auth.accounts import AuthManager, UnknownAccountError
from asgi_auth.integrations.starlette import Depends, get_current_user, inject
from asgi_auth.passwords import PasswordHasher
from asgi_auth.routes import LoginRequest, TokenPayload, TokenResponse, UserResponse

SECRET = "b7Xq2Lm9Tz4Rw6Vn1Kc8Jd3Hf5Gs0Pa-Ue_YoIxQtE"
PASSWORD = "password123"
BCRYPT = CryptContext(schemes=["bcrypt"], bcrypt__rounds=4)


class MockAuthManager(AuthManager[UserResponse]):
    """Keeps one user in memory, with a bcrypt hash as the example has."""

    hasher = PasswordHasher(context=BCRYPT)

    def __init__(self) -> None:
        self.users = {
            "user@example.com": {
                "id": "42",
                "email": "user@example.com",
                "password_hash": BCRYPT.hash(PASSWORD),
            }
        }

    async def get_user_by_email(self, email):
        user = self.users.get(email)
        return None if user is None else UserResponse(id=user["id"], email=email)

    async def get_user_by_id(self, user_id):
        for user in self.users.values():
            if user["id"] == user_id:
                return UserResponse(id=user["id"], email=user["email"])
        return None

    async def verify_password(self, email, password):
        user = self.users.get(email)
        stored = None if user is None else user["password_hash"]
        await self.hasher.verify(password, stored)
        return True


auth_config = AuthConfig(
    secret_key=SECRET,
    algorithm="HS256",
    access_token_expire_minutes=15,
    refresh_token_expire_days=7,
    cookie_name="refresh_token",
)
auth_manager = MockAuthManager()
tokens = TokenService.from_config(auth_config)


async def login(request):
    asked = LoginRequest.model_validate_json(await request.body())
    user = await auth_manager.authenticate(asked.email, asked.password)
    if user is None:
        return JSONResponse({"error": "Invalid credentials"}, status_code=401)

    pair = await tokens.issue(user.id)
    response = TokenResponse(
        access_token=pair.access_token, refresh_token=pair.refresh_token
    )
    shown = response.model_dump(by_alias=True, exclude_none=True)
    return JSONResponse(shown)


async def protected(request):
    user = await get_current_user(request)
    return JSONResponse({"message": f"Hello {user.email}!"})


@inject
async def handler(request, current_user=Depends(get_current_user)):  # noqa: B008
    return JSONResponse({"user": current_user.email})


async def chat(websocket):
    requires().check(websocket)
    await websocket.accept()
    message = await websocket.receive_json()
    user = get_user(websocket.scope)
    await websocket.send_json({"user": user.id, "message": message})
    await websocket.close()


@pytest.fixture
def client():
    app = AuthenticationMiddleware(
        Starlette(
            routes=[
                Route("/login", login, methods=["POST"]),
                Route("/protected", protected, methods=["GET"]),
                Route("/injected", handler),
                WebSocketRoute("/ws", chat),
            ]
        ),
        JWTBackend(tokens, sources=(BearerHeader(), QueryParam("token"))),
        load_user=lambda principal: auth_manager.get_user_by_id(principal.subject),
    )
    return TestClient(app)


def log_in(client, **changes):
    body = {"email": "user@example.com", "password": PASSWORD, **changes}
    return client.post("/login", json=body)


def test_the_flow_of_the_example(client):
    pair = log_in(client).json()
    assert {"accessToken", "refreshToken"} <= pair.keys()
    assert pair["tokenType"].lower() == "bearer"

    answer = client.get(
        "/protected", headers={"Authorization": f"Bearer {pair['accessToken']}"}
    )
    assert answer.json() == {"message": "Hello user@example.com!"}
    assert client.get("/protected").status_code == 401

    answer = client.get(
        "/injected", headers={"Authorization": f"Bearer {pair['accessToken']}"}
    )
    assert answer.json() == {"user": "user@example.com"}
    assert client.get("/injected").status_code == 401

    with client.websocket_connect(f"/ws?token={pair['accessToken']}") as socket:
        socket.send_json({"text": "Hello WebSocket!"})
        assert socket.receive_json() == {
            "user": "42",
            "message": {"text": "Hello WebSocket!"},
        }


def test_a_refresh_token_opens_neither_the_route_nor_the_socket(client):
    token = log_in(client).json()["refreshToken"]
    answer = client.get("/protected", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 401
    with pytest.raises(WebSocketDenialResponse) as caught:
        client.websocket_connect(f"/ws?token={token}").__enter__()
    assert caught.value.status_code == 401


@pytest.mark.parametrize(
    "changes", [{"password": "wrong"}, {"email": "nobody@example.com"}]
)
def test_wrong_credentials_are_refused_alike(client, changes):
    answer = log_in(client, **changes)
    assert answer.status_code == 401
    assert answer.json() == {"error": "Invalid credentials"}


async def test_the_kind_of_a_token_is_asked_for():
    pair = await tokens.issue("42")
    payload = TokenPayload.model_validate(
        dict(await tokens.verify(pair.access_token, expected_type="access"))
    )
    assert (payload.sub, payload.type) == ("42", "access")
    assert payload.exp - payload.iat == 15 * 60
    payload = await tokens.verify(pair.refresh_token, expected_type="refresh")
    assert payload["exp"] - payload["iat"] == 7 * 86400
    with pytest.raises(InvalidTokenError):
        await tokens.verify(pair.refresh_token, expected_type="access")


async def test_passwords_are_hashed_with_bcrypt_and_checked():
    hasher = PasswordHasher(context=BCRYPT)
    hashed = await hasher.hash("mysecretpassword")
    assert hashed.startswith("$2b$")
    assert (await hasher.verify("mysecretpassword", hashed)).replacement is None
    with pytest.raises(InvalidCredentialsError):
        await hasher.verify("another", hashed)


def test_the_secret_of_the_example_is_too_weak_to_sign_with():
    with pytest.raises(ConfigurationError):
        AuthConfig(secret_key="supersecretjwtkey")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (AuthError, 401),
        (InvalidCredentialsError, 401),
        (InvalidTokenError, 401),
        (ExpiredTokenError, 401),
        (UnknownSubjectError, 401),
        (UnknownAccountError, 404),
    ],
)
def test_the_errors_have_the_statuses_of_the_example(error, status):
    assert error.status == status
    assert issubclass(error, AuthError)
