"""What all pages say: the words around them, and what can go wrong.

The texts of one page stand in the module of that page.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["WORDS"]

WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "en": {
        "skip": "Skip to the form",
        "home": "Home",
        "needed": (
            "The page that you want to see needs a second factor. Set one up, then go "
            "on: you are asked for it."
        ),
        "go_on": "Go on",
        "error.prefix": "Error",
        "error.summary": "There is a problem",
        "error.title": "This did not work",
        "error.back": "Go back",
        "error.other": "This did not work. Please try again.",
        "error.invalid_credentials": "Name or password is wrong.",
        "error.wrong_password": "The password is wrong.",
        "error.invalid_body": "Fill in all fields.",
        "error.invalid_email": "Enter an e-mail address, like ann@example.com.",
        "error.invalid_username": (
            "Enter a user name of 1 to 150 characters, without @ and spaces."
        ),
        "error.password_refused": (
            "Choose another password: at least 8 characters, not one that is often "
            "used, and not your name."
        ),
        "error.account_exists": "There is an account with this address or name.",
        "error.account_changed": "The account was changed in between. Try again.",
        "error.account_disabled": "This account is disabled.",
        "error.email_not_verified": "Confirm your e-mail address first.",
        "error.second_factor_required": "Enter the code of your second factor as well.",
        "error.invalid_token": "This link has been used, or is not complete.",
        "error.token_expired": "This link is too old. Ask for a new one.",
        "error.token_revoked": "This link has been used already.",
        "error.rate_limited": "Too many tries. Please wait, and try again.",
        "error.unavailable": "The service is not available now. Please try again soon.",
        "error.cross_origin": "The form came from another site. Open the page anew.",
        "error.forbidden": "You may not do this.",
        "error.insufficient_scope": "You may not see this page.",
        "error.actor_refused": "Nobody may do this in the name of a user.",
        "error.not_found": "There is no such page.",
        "error.method_not_allowed": "This page cannot be used in this way.",
        "error.not_localhost": "Here, pages work on localhost only.",
    },
    "de": {
        "skip": "Zum Formular",
        "home": "Startseite",
        "needed": (
            "Die gewünschte Seite braucht einen zweiten Faktor. Richten Sie einen ein, "
            "dann geht es weiter: Sie werden danach gefragt."
        ),
        "go_on": "Weiter",
        "error.prefix": "Fehler",
        "error.summary": "Es gibt ein Problem",
        "error.title": "Das hat nicht geklappt",
        "error.back": "Zurück",
        "error.other": "Das hat nicht geklappt. Bitte versuchen Sie es noch einmal.",
        "error.invalid_credentials": "Name oder Passwort ist falsch.",
        "error.wrong_password": "Das Passwort ist falsch.",
        "error.invalid_body": "Füllen Sie alle Felder aus.",
        "error.invalid_email": "Geben Sie eine Adresse ein, wie ann@example.com.",
        "error.invalid_username": (
            "Geben Sie einen Namen mit 1 bis 150 Zeichen ein, ohne @ und Leerzeichen."
        ),
        "error.password_refused": (
            "Wählen Sie ein anderes Passwort: mindestens 8 Zeichen, kein häufiges, "
            "und nicht Ihren Namen."
        ),
        "error.account_exists": "Es gibt schon ein Konto mit dieser Adresse.",
        "error.account_changed": (
            "Das Konto wurde inzwischen geändert. Versuchen Sie es noch einmal."
        ),
        "error.account_disabled": "Dieses Konto ist gesperrt.",
        "error.email_not_verified": "Bestätigen Sie zuerst Ihre E-Mail-Adresse.",
        "error.second_factor_required": (
            "Geben Sie auch den Code Ihres zweiten Faktors ein."
        ),
        "error.invalid_token": "Dieser Link ist verbraucht oder unvollständig.",
        "error.token_expired": "Dieser Link ist zu alt. Fordern Sie einen neuen an.",
        "error.token_revoked": "Dieser Link ist schon verbraucht.",
        "error.rate_limited": (
            "Zu viele Versuche. Bitte versuchen Sie es später noch einmal."
        ),
        "error.unavailable": (
            "Der Dienst ist nicht erreichbar. Bitte versuchen Sie es bald wieder."
        ),
        "error.cross_origin": (
            "Das Formular kam von einer anderen Seite. Öffnen Sie die Seite neu."
        ),
        "error.forbidden": "Das dürfen Sie nicht.",
        "error.insufficient_scope": "Diese Seite dürfen Sie nicht sehen.",
        "error.actor_refused": "Das darf niemand im Namen eines anderen.",
        "error.not_found": "Diese Seite gibt es nicht.",
        "error.method_not_allowed": "So lässt sich diese Seite nicht benutzen.",
        "error.not_localhost": "Hier gehen Seiten nur unter localhost.",
    },
}
"""By language and key. A page's own texts are put beside these."""
