"""What the doctor looks for in how an application is served, one function a fault.

A check reads how things are set up. It calls nothing and connects to nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from asgi_auth._drivers.sql_logging import logs_values
from asgi_auth.cli.doctor.checks import Check, Patient
from asgi_auth.cli.doctor.finding import Finding
from asgi_auth.keys import Key

__all__ = ["SERVING_CHECKS"]

# What a worker may have to itself: what it is, what that does, and what to use.
_IN_MEMORY = {
    "MemoryAccounts": (
        "memory-accounts",
        "accounts are in the memory of each: who registers is known to one of them",
        "Use SQLAccounts.",
    ),
    "MemoryAPIKeys": (
        "memory-api-keys",
        "API keys are in the memory of each: one that is made is known to one of them",
        "Use SQLAPIKeys.",
    ),
    "MemoryFactors": (
        "memory-factors",
        "second factors are in the memory of each: one of them asks for what is set up",
        "Use SQLFactors.",
    ),
}
_MINUTE, _HOUR = 60, 3600
# So many guesses at one account are more than a user needs.
_MOST_A_MINUTE, _MOST_FAILURES_AN_HOUR = 30, 1000


def memory_parts(patient: Patient) -> Iterator[Finding]:
    """Accounts and keys that only one of several workers knows."""
    if patient.workers < 2:  # noqa: PLR2004
        return

    for name, (code, text, advice) in _IN_MEMORY.items():
        if patient.named(name):
            workers = f"There are {patient.workers} workers"
            yield Finding(code, f"{workers}, and {text}.", advice)


def memory_limits(patient: Patient) -> Iterator[Finding]:
    """Counters of which each worker has its own."""
    alone = any(part.in_memory for part in patient.named("Counters"))
    if patient.workers > 1 and alone:
        yield Finding(
            "memory-limits",
            f"There are {patient.workers} workers, and each counts tries for itself: "
            "whoever guesses passwords has so many times the tries.",
            "Give RateLimiter a redis:// URL.",
        )


def loose_limit(patient: Patient) -> Iterator[Finding]:
    """Limits that let an account be guessed at all day."""
    for limiter in patient.named("RateLimiter"):
        limits = limiter.limits
        tries, failures = limits.log_in, limits.failures
        a_minute = tries.amount * _MINUTE / tries.seconds
        an_hour = failures.amount * _HOUR / failures.seconds
        if a_minute > _MOST_A_MINUTE or an_hour > _MOST_FAILURES_AN_HOUR:
            yield Finding(
                "loose-limit",
                f"Log-ins of one account may fail {an_hour:.0f} times an hour, and be "
                f"tried {a_minute:.0f} times a minute from one address.",
                "Take fewer, or longer windows: Limit(5, seconds=60) is the default.",
            )


def polymorphic_algorithm(patient: Patient) -> Iterator[Finding]:
    """Tokens that say EdDSA, which does not say which curve that is."""
    for key in patient.having(Key):
        if key.algorithm == "EdDSA" and key.is_private:
            yield Finding(
                "eddsa-name",
                f"Key {key.kid} signs tokens whose alg is EdDSA; RFC 9864 replaces it "
                "by Ed25519, and new libraries may not take it.",
                'Make keys for "Ed25519"; they verify tokens with either name.',
            )


def logged_values(patient: Patient) -> Iterator[Finding]:
    """Statements about users whose values are written to the log."""
    for users in patient.named("SQLAlchemyUsers"):
        engines = Patient(users, patient.workers, {}).named("AsyncEngine")
        if any(logs_values(engine.sync_engine) for engine in engines):
            yield Finding(
                "logged-values",
                f"The engine of {type(users).__name__} logs what statements say of "
                "users, password hashes and addresses among it.",
                "Make it with hide_parameters=True, and have it log no DEBUG.",
            )


SERVING_CHECKS: tuple[Check, ...] = (
    memory_parts,
    memory_limits,
    loose_limit,
    polymorphic_algorithm,
    logged_values,
)
