"""Settings as they may be shown to anyone: secrets are replaced by asterisks."""

import re
from typing import Any

MASK = "***"
URL_SECRET = re.compile(r"(?<=://)([^/?#\s@:]*:)?[^/?#\s]*(?=@)")
"""User and password of a URL; of a URL with a user only, the user may be a token."""
QUERY_SECRET = re.compile(r"(?i)([?&][^=&]*(?:password|secret|token)[^=&]*=)[^&#\s]*")
SECRET_OPTION = re.compile(
    r"(?i)password|secret|api_?key$|token(?!\.endpoint)|jaas|(?<!public)[._]key\.pem|oauthbearer\.config"
)
"""Options of librdkafka that hold a secret itself, not the place of one."""


def mask_secrets(value: Any, name: str = "") -> Any:  # noqa: ANN401 - any JSON
    """Return a JSON document of settings without its secrets; `name` is that of the value."""
    if isinstance(value, dict):
        return {key: mask_secrets(one, key) for key, one in value.items()}
    if isinstance(value, list):
        return [mask_secrets(one) for one in value]
    if not isinstance(value, str):
        return value
    if value and SECRET_OPTION.search(name):
        return MASK
    return QUERY_SECRET.sub(rf"\1{MASK}", URL_SECRET.sub(_mask_user, value))


def _mask_user(found: re.Match[str]) -> str:
    user = found[1]
    return MASK if user is None else f"{user}{MASK}"
