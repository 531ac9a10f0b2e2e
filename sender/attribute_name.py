"""What a device's attribute may be called: one rule for imports, segments and templates."""

import re

ATTRIBUTE_NAME_CHARS_MAX = 64
ATTRIBUTE_NAME_PATTERN = rf"[A-Za-z_][A-Za-z0-9_-]{{0,{ATTRIBUTE_NAME_CHARS_MAX - 1}}}"

_ATTRIBUTE_NAME = re.compile(ATTRIBUTE_NAME_PATTERN)


def is_attribute_name(text: str) -> bool:
    """Tell whether `text` can name an attribute: a letter or `_`, then letters, digits, `_` and `-`."""
    return _ATTRIBUTE_NAME.fullmatch(text) is not None
