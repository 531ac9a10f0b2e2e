"""What FCM takes for the name of a topic (B3). Pure."""

import re
from typing import Final

TOPIC_NAME_CHARACTERS_MAX: Final = 900
"""The newest API's limit; older pages name none."""

_TOPIC_NAME: Final = re.compile(rf"[a-zA-Z0-9\-_.~%]{{1,{TOPIC_NAME_CHARACTERS_MAX}}}")


def is_topic_name(text: str) -> bool:
    """Whether a text names a topic. SDKs strip a `/topics/` before it, the server does not."""
    return _TOPIC_NAME.fullmatch(text) is not None
