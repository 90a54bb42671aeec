"""Return the headers of an answer that are kept when a refusal takes its place.

They are those that layers within the middleware put on each answer, whatever it says.
What is not known to be one of them goes with the answer.
"""

from __future__ import annotations

from asgi_auth._asgi import Headers, Message

__all__ = ["kept_of"]

_PREFIXES = (b"access-control-", b"cross-origin-")
_SUFFIXES = (b"request-id", b"correlation-id", b"trace-id")
_NAMES = frozenset(
    {
        b"content-security-policy",
        b"content-security-policy-report-only",
        b"nel",
        b"origin-agent-cluster",
        b"permissions-policy",
        b"referrer-policy",
        b"report-to",
        b"reporting-endpoints",
        b"server-timing",
        b"strict-transport-security",
        b"timing-allow-origin",
        b"traceparent",
        b"traceresponse",
        b"vary",
        b"x-content-type-options",
        b"x-frame-options",
        b"x-permitted-cross-domain-policies",
        b"x-process-time",
        b"x-robots-tag",
        b"x-xss-protection",
    }
)


def kept_of(message: Message) -> Headers:
    """Return the headers of a start message that are no part of what it says."""
    return [(n, v) for n, v in message.get("headers") or () if _is_kept(n.lower())]


def _is_kept(name: bytes) -> bool:
    return name in _NAMES or name.startswith(_PREFIXES) or name.endswith(_SUFFIXES)
