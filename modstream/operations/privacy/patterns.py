"""Patterns of personal data in texts, with the checks that tell them from other numbers."""

import re
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

Kind = Literal["email", "phone", "card", "iban"]

EMAIL = re.compile(
    r"(?<![\w.+-])[A-Za-z0-9][\w.%+-]{0,63}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}(?![\w-])"
)
PHONE = re.compile(
    r"(?<![\w.+])(?:\+[1-9][\d ()./-]{6,20}\d|\(\d{3}\) ?\d{3}-\d{4}|\d{3}-\d{3}-\d{4})(?![\w-])"
)
CARD = re.compile(r"(?<![\w.+-])\d(?:[ -]?\d){12,18}(?![\w-])(?!\.\d)")
IBAN = re.compile(r"(?<!\w)[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]){11,30}(?!\w)")
CARD_ISSUERS = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}"
    r"|3[47]\d{13}|3(?:0[0-5]|[689]\d)\d{11}|35(?:2[89]|[3-8]\d)\d{12}|6(?:011|4[4-9]\d|5\d\d)\d{12}"
)
"""The beginnings and lengths of the numbers of Visa, Mastercard, American Express, Diners, JCB and
Discover."""
PHONE_DIGITS = range(8, 16)
"""How many digits an international number has (E.164), with its country."""


class Finding(NamedTuple):
    """A text that looks like personal data, and of which kind."""

    kind: Kind
    text: str


def find_personal(text: str) -> Iterator[Finding]:
    """Yield what looks like an e-mail address, a phone, a card or an account number in a text.

    The check digits of card numbers and IBANs are right.
    """
    for kind, (pattern, is_valid) in PATTERNS.items():
        for found in pattern.finditer(text):
            if is_valid(found[0]):
                yield Finding(kind, found[0])


def mask(text: str) -> str:
    """Return a text with its first and last two characters only, for a report."""
    shown = 2 if len(text) > 6 else 0
    hidden = "*" * min(len(text) - 2 * shown, 12)
    return f"{text[:shown]}{hidden}{text[len(text) - shown :]}"


def is_card(text: str) -> bool:
    """Return whether the digits of a text are a card number: issuer, length and Luhn's check."""
    digits = _digits(text)
    if not CARD_ISSUERS.fullmatch(digits) or len(set(digits)) == 1:
        return False
    total = 0
    for position, digit in enumerate(map(int, reversed(digits))):
        doubled = 2 * digit if position % 2 else digit
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0


def is_iban(text: str) -> bool:
    """Return whether a text is an IBAN: its check digits are right (ISO 13616)."""
    plain = text.replace(" ", "")
    if not 15 <= len(plain) <= 34:
        return False
    return int("".join(str(int(char, 36)) for char in plain[4:] + plain[:4])) % 97 == 1


def is_phone(text: str) -> bool:
    """Return whether a text has as many digits as a phone number."""
    return len(_digits(text)) in PHONE_DIGITS


def _digits(text: str) -> str:
    return "".join(char for char in text if char in "0123456789")


PATTERNS: Mapping[Kind, tuple[re.Pattern[str], Callable[[str], bool]]] = MappingProxyType(
    {
        "email": (EMAIL, lambda _text: True),
        "phone": (PHONE, is_phone),
        "card": (CARD, is_card),
        "iban": (IBAN, is_iban),
    }
)
