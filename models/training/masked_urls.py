"""Texts that contain URLs, such as messages of drivers, without the passwords of these."""

import re

_USER = re.compile(r"://([^:/@\s]*):\S*@")
_PARAMETER = re.compile(r"(password=)[^&\s]*", re.IGNORECASE)


def mask_passwords(text: str) -> str:
    """Return a text with *** for the passwords of its URLs."""
    return _PARAMETER.sub(r"\1***", _USER.sub(r"://\1:***@", text))
