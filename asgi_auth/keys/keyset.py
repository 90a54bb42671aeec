"""A set of keys: one signs, all verify, and they can be rotated at run time.

It never mixes HMAC keys with key pairs: then a public key could be passed off as a
secret (RFC 8725, section 2.1).
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self

from asgi_auth.errors import ConfigurationError
from asgi_auth.keys._env import KeySetting, read_env
from asgi_auth.keys._jwk import load_object
from asgi_auth.keys._state import build_state, check_count, named_key
from asgi_auth.keys.key import Key

__all__ = ["KeySet"]


class KeySet:
    """Keys under unique names, of which one signs.

    A rotation without a refused token: :meth:`add` the new key, wait until all who
    read ``to_jwks()`` have it, :meth:`promote` it, wait until the last token of the
    old key has expired, :meth:`remove` the old one. Each step swaps in one new state,
    so that readers in other threads never see half of it.

    Args:
        keys: At least one and at most 100 keys, all HMAC or all key pairs.
        signing: The key that signs, or its kid; by default the first that can.

    Raises:
        ConfigurationError: The keys do not make a set; the text says why.
    """

    __slots__ = ("__weakref__", "_lock", "_state", "generation")

    generation: int
    """How often the set has changed; what is cached under another is stale."""

    def __init__(
        self, keys: Iterable[Key], *, signing: Key | str | None = None
    ) -> None:
        self._lock = threading.Lock()
        self._state = build_state(tuple(keys), signing, generation=0)
        self.generation = 0

    @classmethod
    def generate(
        cls,
        algorithm: str = "ES256",
        *,
        kid: str | None = None,
        bits: int | None = None,
    ) -> Self:
        """Make a set of one new key; see :meth:`Key.generate`.

        Every start of the process makes another one, and every worker its own: for
        tests and trials.
        """
        return cls([Key.generate(algorithm, kid=kid, bits=bits)])

    @classmethod
    def from_secret(
        cls, secret: str | bytes, algorithm: str = "HS256", *, kid: str | None = None
    ) -> Self:
        """Make a set of one HMAC secret; see :meth:`Key.from_secret`."""
        return cls([Key.from_secret(secret, algorithm, kid=kid)])

    @classmethod
    def from_pem(
        cls,
        pem: str | bytes,
        algorithm: str | None = None,
        *,
        kid: str | None = None,
        password: str | bytes | None = None,
    ) -> Self:
        """Make a set of one PEM key; see :meth:`Key.from_pem`."""
        return cls([Key.from_pem(pem, algorithm, kid=kid, password=password)])

    @classmethod
    def from_jwk(
        cls, jwk: Mapping[str, Any] | str, algorithm: str | None = None
    ) -> Self:
        """Make a set of one JSON Web Key; see :meth:`Key.from_jwk`."""
        return cls([Key.from_jwk(jwk, algorithm)])

    @classmethod
    def from_jwks(cls, jwks: Mapping[str, Any] | str) -> Self:
        """Read a JWK set (RFC 7517, section 5), private or public, or its JSON text.

        Raises:
            ConfigurationError: It is not a set, or one of its keys cannot be used; the
                text says which, counted from 0.
        """
        entries = load_object(jwks).get("keys")
        if not isinstance(entries, (list, tuple)):
            msg = 'A JWK set must have an array named "keys" (RFC 7517, section 5).'
            raise ConfigurationError(msg)

        check_count(len(entries))
        return cls([_entry(index, entry) for index, entry in enumerate(entries)])

    @classmethod
    def from_env(
        cls, prefix: str = "ASGI_AUTH_", environ: Mapping[str, str] | None = None
    ) -> Self:
        """Read the keys from the environment.

        Exactly one of these, directly or as the path of a file in ``..._FILE``:
        ``SECRET_KEY`` (with ``ALGORITHM``, default HS256), ``PRIVATE_KEY`` or
        ``PUBLIC_KEY`` (PEM, with ``ALGORITHM`` for RSA), ``JWKS`` (JSON). An encrypted
        PEM has its password in ``PRIVATE_KEY_PASSWORD``. A byte order mark and line
        breaks at the end are left out.

        Args:
            prefix: What the names begin with.
            environ: Where to look instead of :data:`os.environ`.

        Raises:
            ConfigurationError: None or several are set, or one cannot be used.
        """
        setting = read_env(prefix, environ)
        try:
            return cls._from_setting(setting)
        except ConfigurationError as error:
            msg = f"{setting.name}: {error}"
            raise ConfigurationError(msg) from error

    @classmethod
    def _from_setting(cls, setting: KeySetting) -> Self:
        if setting.kind == "JWKS":
            return cls.from_jwks(setting.value)

        if setting.kind == "SECRET_KEY":
            return cls.from_secret(setting.value, setting.algorithm or "HS256")

        key = Key.from_pem(setting.value, setting.algorithm, password=setting.password)
        if key.is_private != (setting.kind == "PRIVATE_KEY"):
            msg = "it holds the other half of a pair: rename it."
            raise ConfigurationError(msg)

        return cls([key])

    @property
    def signing_key(self) -> Key:
        """The key that signs.

        Raises:
            ConfigurationError: The set has only public keys.
        """
        signing = self._state.signing
        if signing is not None:
            return signing

        msg = "The key set can only verify: add a private key and promote it to sign."
        raise ConfigurationError(msg)

    @property
    def is_symmetric(self) -> bool:
        """Whether the keys are HMAC secrets."""
        return self._state.keys[0].is_symmetric

    def find(self, kid: str | None, algorithm: str) -> Key | None:
        """Find the key that a token's header speaks of, or ``None``.

        Args:
            kid: Its ``kid``; without one, a key is found only if no other key of the
                set has the algorithm. Of a set of one key without a kid of its own, it
                is found under each: the issuer has one of its own for it.
            algorithm: Its ``alg``.
        """
        state = self._state
        if kid is None or state.is_nameless:
            return state.sole.get(algorithm)

        return state.by_name.get((kid, algorithm))

    def to_jwks(self) -> dict[str, list[dict[str, Any]]]:
        """Return the public JWK set, which has no keys if they are secrets."""
        state = self._state
        return {"keys": [key.to_jwk() for key in state.keys if not key.is_symmetric]}

    def add(self, key: Key) -> None:
        """Publish a key: it verifies from now on, and does not sign yet.

        Raises:
            ConfigurationError: Its kid is taken, or it is of the other kind.
        """
        with self._lock:
            state = self._state
            self._swap((*state.keys, key), state.signing, adopt=False)

    def promote(self, kid: str) -> None:
        """Sign with this key from now on.

        Raises:
            ConfigurationError: There is no such key, or it cannot sign.
        """
        with self._lock:
            self._swap(self._state.keys, kid)

    def remove(self, kid: str) -> None:
        """Take a key away: its tokens are refused from now on.

        Raises:
            ConfigurationError: There is no such key, or it is the one that signs, or
                the last one.
        """
        with self._lock:
            state = self._state
            target = named_key(state.by_kid, kid)
            if target is state.signing:
                msg = f"The key {kid!r} signs: promote another before removing it."
                raise ConfigurationError(msg)

            rest = tuple(key for key in state.keys if key.kid != target.kid)
            self._swap(rest, state.signing, adopt=False)

    def replace(
        self, keys: KeySet | Iterable[Key], *, signing: Key | str | None = None
    ) -> None:
        """Put other keys in place of all, without a restart.

        Args:
            keys: The new keys, or a set, whose signing key is taken over.
            signing: As in the constructor.

        Raises:
            ConfigurationError: The keys do not make a set; the old ones stay.
        """
        if isinstance(keys, KeySet):
            other = keys._state  # noqa: SLF001 - one read, so that it is consistent
            signing = other.signing if signing is None else signing
            new, adopt = other.keys, False
        else:
            new, adopt = tuple(keys), True

        with self._lock:
            self._swap(new, signing, adopt=adopt)

    def __iter__(self) -> Iterator[Key]:
        return iter(self._state.keys)

    def __len__(self) -> int:
        return len(self._state.keys)

    def __contains__(self, kid: object) -> bool:
        return kid in self._state.by_kid

    def __repr__(self) -> str:
        state = self._state
        signing = None if state.signing is None else state.signing.kid
        return f"KeySet(kids={list(state.by_kid)!r}, signing={signing!r})"

    def _swap(
        self, keys: tuple[Key, ...], signing: Key | str | None, *, adopt: bool = True
    ) -> None:
        """Build the next state and put it in place by one assignment.

        Its number follows afterwards: what another thread checks with the old keys,
        at this very moment, must not be kept under it.
        """
        generation = self._state.generation + 1
        self._state = build_state(keys, signing, generation=generation, adopt=adopt)
        self.generation = generation


def _entry(index: int, entry: object) -> Key:
    if not isinstance(entry, Mapping):
        msg = f"Key {index} of the JWK set is not a JSON object."
        raise ConfigurationError(msg)

    try:
        return Key.from_jwk(entry)
    except ConfigurationError as error:
        msg = f"Key {index} of the JWK set cannot be used. {error}"

    raise ConfigurationError(msg)
