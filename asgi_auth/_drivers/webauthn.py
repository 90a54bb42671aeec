"""The door to the library webauthn: what authenticators are asked, and what they say.

It keeps nothing and decides nothing about counters. Attestation is not looked at: no
certificate of a stranger is ever parsed here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from asgi_auth._drivers.webauthn_values import (
    BadAnswerError,
    NewCredential,
    UsedCredential,
)
from asgi_auth._encoding import b64url_decode, b64url_encode
from asgi_auth.errors import MissingExtraError

try:
    import webauthn
    from webauthn.helpers import (
        decode_credential_public_key,
        decoded_public_key_to_cryptography,
        encode_cbor,
        parse_cbor,
    )
    from webauthn.helpers.structs import (
        AuthenticatorSelectionCriteria,
        CredentialDeviceType,
        ResidentKeyRequirement,
        UserVerificationRequirement,
    )
except ImportError:
    _INSTALLED = False
else:
    _INSTALLED = True

__all__ = ["WebAuthn"]

# An RSA key of 4096 bits has about 530 bytes in this form.
_LONGEST_KEY: Final = 700
_RSA_BITS: Final = range(2048, 4097)
# Web Authentication, section 5.8.3 and 4: Credential ID.
_LONGEST_ID: Final = 1023


class WebAuthn:
    """One relying party, as Web Authentication (Level 3) calls an application.

    Args:
        rp_id: The domain that credentials are for.
        origins: Whose pages may use them.
        name: What the application is called where browsers show it.
        timeout: Seconds that users have.

    Raises:
        MissingExtraError: webauthn is not installed.
    """

    __slots__ = ("_name", "_origins", "_rp_id", "_timeout")

    def __init__(
        self, rp_id: str, origins: Sequence[str], *, name: str, timeout: float
    ) -> None:
        if not _INSTALLED:
            msg = 'Passkeys needs webauthn: python -m pip install "asgi-auth[passkeys]"'
            raise MissingExtraError(msg)

        self._rp_id = rp_id
        self._origins = list(origins)
        self._name = name
        self._timeout = int(timeout * 1000)

    def creation_options(
        self,
        challenge: bytes,
        *,
        handle: bytes,
        name: str,
        exclude: Sequence[tuple[bytes, Sequence[str]]],
    ) -> dict[str, Any]:
        """Return what ``navigator.credentials.create()`` needs, as JSON.

        Args:
            challenge: What is to be signed.
            handle: Names the user to the authenticator.
            name: Names the user to people.
            exclude: Ids and transports of the credentials that the user has already.
        """
        options = webauthn.generate_registration_options(
            rp_id=self._rp_id,
            rp_name=self._name,
            user_id=handle,
            user_name=name,
            challenge=challenge,
            timeout=self._timeout,
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED,
                user_verification=UserVerificationRequirement.REQUIRED,
            ),
        )
        content = _content(options)
        content["excludeCredentials"] = _descriptors(exclude)
        return content

    def request_options(
        self, challenge: bytes, *, allow: Sequence[tuple[bytes, Sequence[str]]] = ()
    ) -> dict[str, Any]:
        """Return what ``navigator.credentials.get()`` needs, as JSON.

        Args:
            challenge: What is to be signed.
            allow: Ids and transports of the credentials that may be used; without any,
                the authenticator asks its user.
        """
        options = webauthn.generate_authentication_options(
            rp_id=self._rp_id,
            challenge=challenge,
            timeout=self._timeout,
            user_verification=UserVerificationRequirement.REQUIRED,
        )
        content = _content(options)
        content["allowCredentials"] = _descriptors(allow)
        return content

    def made(self, answer: Mapping[str, Any], challenge: bytes) -> NewCredential:
        """Return the credential of a good answer to :meth:`creation_options`.

        Raises:
            BadAnswerError: It is for another challenge, origin or relying party, its
                user was not verified, or it is no such answer.
        """
        try:
            _check_top(answer)
            verified = webauthn.verify_registration_response(
                credential=_without_attestation(answer),
                expected_challenge=challenge,
                expected_rp_id=self._rp_id,
                expected_origin=self._origins,
                require_user_verification=True,
            )
            _check_key(verified.credential_id, verified.credential_public_key)
        except Exception as error:  # noqa: BLE001  # of parsers, about any bytes
            raise BadAnswerError(_reason(error)) from None

        return NewCredential(
            id=verified.credential_id,
            public_key=verified.credential_public_key,
            sign_count=verified.sign_count,
            aaguid=verified.aaguid,
            is_synced=_is_synced(verified.credential_device_type),
            is_backed_up=verified.credential_backed_up,
        )

    def used(
        self, answer: Mapping[str, Any], challenge: bytes, public_key: bytes
    ) -> UsedCredential:
        """Return what a good answer to :meth:`request_options` says.

        Raises:
            BadAnswerError: It is for another challenge, origin or relying party, its
                user was not verified, its signature is not by this key, or it is no
                such answer.
        """
        try:
            _check_top(answer)
            verified = webauthn.verify_authentication_response(
                credential=dict(answer),
                expected_challenge=challenge,
                expected_rp_id=self._rp_id,
                expected_origin=self._origins,
                credential_public_key=public_key,
                # Whoever keeps the counter judges it, in one step with its change.
                credential_current_sign_count=0,
                require_user_verification=True,
            )
        except Exception as error:  # noqa: BLE001  # as above
            raise BadAnswerError(_reason(error)) from None

        return UsedCredential(
            sign_count=verified.new_sign_count,
            is_synced=_is_synced(verified.credential_device_type),
            is_backed_up=verified.credential_backed_up,
        )


def _content(options: Any) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(webauthn.options_to_json(options))
    return content


def _descriptors(
    credentials: Sequence[tuple[bytes, Sequence[str]]],
) -> list[dict[str, Any]]:
    # Not through the library, which knows only some of the transports.
    return [
        {
            "type": "public-key",
            "id": b64url_encode(credential_id).decode(),
            "transports": list(transports),
        }
        for credential_id, transports in credentials
    ]


def _check_top(answer: Mapping[str, Any]) -> None:
    """Pass what was not made inside of a page of another site.

    Raises:
        BadAnswerError: It was (Web Authentication, section 7.1, step 10), or it has
            another form.
    """
    data = json.loads(b64url_decode(answer["response"]["clientDataJSON"].encode()))
    if data.get("crossOrigin", False) is not False or "topOrigin" in data:
        msg = "the answer comes from a frame in a page of another site"
        raise BadAnswerError(msg)


def _without_attestation(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return an answer without what the authenticator says about itself.

    None was asked for, so that there is nothing to check it against.
    """
    response = answer["response"]
    attestation = parse_cbor(b64url_decode(response["attestationObject"].encode()))
    bare = {"fmt": "none", "attStmt": {}, "authData": attestation["authData"]}
    encoded = b64url_encode(encode_cbor(bare)).decode()
    return {**answer, "response": {**response, "attestationObject": encoded}}


def _check_key(credential_id: bytes, public_key: bytes) -> None:
    """Pass a key that signatures can be checked with, at a bounded price.

    Raises:
        BadAnswerError: It is none, is too long, or too weak.
    """
    if len(credential_id) > _LONGEST_ID or len(public_key) > _LONGEST_KEY:
        msg = "the id or the public key is too long"
        raise BadAnswerError(msg)

    key = decoded_public_key_to_cryptography(decode_credential_public_key(public_key))
    if isinstance(key, RSAPublicKey) and key.key_size not in _RSA_BITS:
        msg = "the RSA key is too short or too long"
        raise BadAnswerError(msg)


def _is_synced(kind: Any) -> bool:
    return bool(kind == CredentialDeviceType.MULTI_DEVICE)


def _reason(error: Exception) -> str:
    """Return why, for the log at DEBUG: of a stranger's text only the beginning."""
    return f"{type(error).__name__}: {error}"[:200]
