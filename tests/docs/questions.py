"""Twenty questions that newcomers asked in public, and where each is answered.

They come from threads of other libraries: this is what people look for, in their words.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["QUESTIONS", "Question"]


@dataclass(frozen=True)
class Question:
    """What somebody wanted to know.

    Attributes:
        asked: The question, in short.
        thread: Where it was asked: repository and number.
        search: What one would type.
        page: Where the answer is.
        answer: A part of it, as it stands there.
    """

    asked: str
    thread: str
    search: str
    page: str
    answer: str


QUESTIONS = (
    Question(
        "How to expire a token in a logout endpoint?",
        "fastapi/fastapi#2263",
        "logout expire token",
        "how-to/revocation",
        "log-out ends a session at once",
    ),
    Question(
        "How to implement logout and refresh token?",
        "fastapi/fastapi#2101",
        "logout refresh token",
        "tutorial/api-with-login",
        "/auth/refresh",
    ),
    Question(
        "How to revoke a token on all devices?",
        "vimalloc/flask-jwt-extended#146",
        "revoke all devices",
        "how-to/revocation",
        "everywhere",
    ),
    Question(
        "How to make refresh tokens invalid when the password is changed?",
        "jazzband/djangorestframework-simplejwt#59",
        "password changed refresh token",
        "explanation/threats-accounts",
        "A changed password ends all other sessions",
    ),
    Question(
        "Can tokens be kept in cookies, for a single-page app?",
        "IndominusByte/fastapi-jwt-auth#3",
        "cookie spa",
        "how-to/cookies",
        'delivery="cookie"',
    ),
    Question(
        "How to get the authenticated user in a WebSocket?",
        "fastapi/fastapi#2300",
        "websocket user",
        "how-to/fastapi",
        "WebSocket",
    ),
    Question(
        "How does a browser send a token with a WebSocket?",
        "django/channels#300",
        "websocket token browser",
        "how-to/websockets-in-browsers",
        "cannot set an `Authorization` header",
    ),
    Question(
        "How to send an Authorization header with EventSource?",
        "Yaffle/EventSource#44",
        "eventsource token",
        "how-to/streams",
        "EventSource",
    ),
    Question(
        "Why do CORS preflights (OPTIONS) get a 401?",
        "waza-ari/fastapi-keycloak-middleware#41",
        "cors preflight 401",
        "how-to/middleware",
        "CORS",
    ),
    Question(
        "Can users log in with a user name instead of an e-mail address?",
        "fastapi-users/fastapi-users#168",
        "username login",
        "how-to/own-database",
        "get_user_by_login",
    ),
    Question(
        "How to be a logged-in user in tests?",
        "fastapi-users/fastapi-users#672",
        "test logged in user",
        "how-to/test-your-app",
        "as_user",
    ),
    Question(
        "How to limit tries of the log-in?",
        "frankbria/codeframe#644",
        "brute force login rate limit",
        "how-to/rate-limits",
        "429",
    ),
    Question(
        "How to verify tokens of Keycloak?",
        "fastapi/fastapi#2693",
        "keycloak",
        "how-to/keycloak",
        "keycloak(",
    ),
    Question(
        "Does Alembic's autogenerate drop the tables?",
        "benavlabs/FastAPI-boilerplate#204",
        "alembic",
        "how-to/sql",
        "Autogenerate drops tables that it does not know",
    ),
    Question(
        "How to protect an MCP server with bearer tokens?",
        "PrefectHQ/fastmcp#1173",
        "mcp bearer",
        "how-to/mcp",
        "FastMCP",
    ),
    Question(
        "How to secure a Gradio app within FastAPI?",
        "gradio-app/gradio#7005",
        "gradio",
        "how-to/user-interfaces",
        "Gradio",
    ),
    Question(
        "How to let health checks through the authentication?",
        "gofr-dev/gofr#2550",
        "health check",
        "how-to/probe-readiness",
        "/readyz",
    ),
    Question(
        "How to use Socket.IO with authenticated users?",
        "stephenmcd/django-socketio#67",
        "socket.io",
        "how-to/first-messages",
        "Socket.IO",
    ),
    Question(
        "How to log in with Google?",
        "gradio-app/gradio#2790",
        "social login google",
        "how-to/log-in-with-providers",
        "oogle",
    ),
    Question(
        "How to combine tokens of an identity provider with tokens of one's own?",
        "PrefectHQ/fastmcp#2385",
        "own tokens and identity provider together",
        "how-to/middleware",
        "BackendChain",
    ),
)
