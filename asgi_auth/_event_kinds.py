"""What events there are, and what each says: the one table of them.

The documentation shows it, and a test holds the code to it. It emits nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

__all__ = ["EVENT_KINDS", "EventKind"]


class EventKind(NamedTuple):
    """What an event means.

    Attributes:
        when: It happens, as a sentence.
        about: Which of ``issuer``, ``subject`` and ``session_id`` it has.
        detail: The names of what else it says.
    """

    when: str
    about: tuple[str, ...] = ()
    detail: tuple[str, ...] = ()


_SUBJECT = ("issuer", "subject")
_SESSION = (*_SUBJECT, "session_id")
_REQUEST = ("code", "status", "kind", "method", "path", "backend", "source")
_DOWN, _UP = ("place", "cause"), ("place", "cause", "seconds")
_BY = ("by",)

EVENT_KINDS: Mapping[str, EventKind] = {
    "request.refused": EventKind(
        "A request or a socket is refused; `path` is the template of the route, where "
        "the framework says so.",
        _SESSION,
        _REQUEST,
    ),
    "credential.ignored": EventKind(
        "A bad credential passes as nobody's: in a cookie, or on a public path.",
        (),
        _REQUEST,
    ),
    "session.created": EventKind("A log-in opens a session.", _SESSION),
    "session.rotated": EventKind("A refresh token is replaced.", _SESSION),
    "session.retried": EventKind(
        "The refresh token before comes within `grace`, and gets the same successor.",
        _SESSION,
    ),
    "session.revoked": EventKind("A session is ended.", _SESSION),
    "session.reused": EventKind(
        "An older refresh token came back, and the session is ended: a theft, or a "
        "client with a fault.",
        _SESSION,
        ("opened_by", "shown_by"),
    ),
    "session.impersonated": EventKind(
        "Somebody may act for a user; the session is the actor's.",
        _SESSION,
        ("actor", "ttl", "reason"),
    ),
    "login.succeeded": EventKind(
        "Somebody has logged in; `device` is for people: `Firefox on Linux`.",
        _SESSION,
        ("ip", "user_agent", "device"),
    ),
    "login.failed": EventKind(
        "A log-in fails; `reason` is the code of the refusal, `account` a digest of "
        "what was typed.",
        ("issuer",),
        ("ip", "user_agent", "reason", "account"),
    ),
    "login.locked": EventKind(
        "There were too many tries; `rule` says which limit it was.",
        ("issuer",),
        ("rule",),
    ),
    "login.reauthenticated": EventKind("A session has a fresh log-in.", _SESSION),
    "passkey.added": EventKind(
        "A user adds a passkey, `synced` or for one device.",
        _SESSION,
        ("passkey", "synced"),
    ),
    "passkey.removed": EventKind("A passkey is removed.", _SESSION, ("passkey",)),
    "passkey.cloned": EventKind(
        "The counter of a passkey goes back: there may be two of its authenticator.",
        _SUBJECT,
        ("passkey", "kept", "shown", "refused"),
    ),
    "account.registration_asked": EventKind(
        "Somebody asks for an account, and is sent a message.", ("issuer",)
    ),
    "account.registered": EventKind("Somebody has registered.", _SUBJECT),
    "account.verified": EventKind("An address is verified.", _SUBJECT),
    "account.password_forgotten": EventKind(
        "Somebody asks for a new password.", ("issuer",)
    ),
    "account.password_reset": EventKind("A password is set by a message.", _SUBJECT),
    "account.password_changed": EventKind("A password is changed.", _SESSION),
    "account.email_change_asked": EventKind(
        "Somebody asks for another address.", _SESSION
    ),
    "account.email_changed": EventKind("An address is changed.", _SUBJECT),
    "account.created": EventKind("An account is made for somebody.", _SUBJECT, _BY),
    "account.roles_changed": EventKind(
        "Roles are set.", _SUBJECT, ("roles", "before", "by")
    ),
    "account.scopes_changed": EventKind(
        "Scopes are set.", _SUBJECT, ("scopes", "before", "by")
    ),
    "account.disabled": EventKind("An account is disabled.", _SUBJECT, _BY),
    "account.enabled": EventKind("An account is enabled.", _SUBJECT, _BY),
    "account.deleted": EventKind("An account is deleted.", _SUBJECT, _BY),
    "factor.added": EventKind("A second factor is set up.", _SUBJECT, ("method",)),
    "factor.removed": EventKind("A second factor is removed.", _SUBJECT, ("method",)),
    "factor.used": EventKind(
        "A second factor is shown; `left` says how many recovery codes remain.",
        _SUBJECT,
        ("method", "left"),
    ),
    "factor.codes_renewed": EventKind("Recovery codes are made anew.", _SUBJECT),
    "factor.reset": EventKind(
        "All second factors of a user are removed.", _SUBJECT, _BY
    ),
    "identity.linked": EventKind(
        "A log-in elsewhere is linked to an account: by its `address`, by a `sign_up`, "
        "by the `user`, or `adopted` from another library.",
        _SUBJECT,
        ("provider", "how"),
    ),
    "identity.unlinked": EventKind(
        "A log-in elsewhere is no longer linked.", _SUBJECT, ("provider",)
    ),
    "api_key.created": EventKind("An API key is made.", ("subject",), ("id", "label")),
    "api_key.used": EventKind("A key is used first.", ("subject",), ("id", "label")),
    "api_key.revoked": EventKind("A key is ended.", ("subject",), ("id", "label")),
    "limit.exceeded": EventKind("A `RateLimiter` refuses a try.", (), ("rule",)),
    "socket.slow": EventKind("A slow member of rooms is dropped.", _SESSION),
    "fanout.down": EventKind("Rooms do not reach other processes."),
    "fanout.up": EventKind("Rooms reach other processes again."),
    "store.down": EventKind("A database or Redis does not serve.", (), _DOWN),
    "store.up": EventKind("It serves again.", (), _UP),
    "jwks.down": EventKind("The keys of an issuer cannot be had.", (), _DOWN),
    "jwks.up": EventKind("They can be had again.", (), _UP),
    "introspection.down": EventKind("An introspection endpoint fails.", (), _DOWN),
    "introspection.up": EventKind("It answers again.", (), _UP),
    "provider.down": EventKind("An identity provider fails.", (), _DOWN),
    "provider.up": EventKind("It answers again.", (), _UP),
    "limits.down": EventKind("The counters of rate limits fail.", (), _DOWN),
    "limits.up": EventKind("They count again.", (), _UP),
}
"""All events by name, and in the order of the documentation."""
