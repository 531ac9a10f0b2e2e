"""The `Retry-After` field in both of its forms (RFC 9110, section 10.2.3)."""

from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Annotated, Final, Literal

import msgspec

RETRY_AFTER_S_MAX: Final = 86_400

RetryAfter = Annotated[int, msgspec.Meta(ge=0, le=RETRY_AFTER_S_MAX)] | None
RetryAfterForm = Literal["seconds", "date"]


def retry_after_fields(
    retry_after_s: int | None, form: RetryAfterForm, now_s: float
) -> tuple[tuple[bytes, bytes], ...]:
    """The field as an answer's fields; none where `retry_after_s` is None. `now_s`: what a date counts from."""
    if retry_after_s is None:
        return ()
    if form == "seconds":
        return ((b"retry-after", b"%d" % retry_after_s),)
    date = format_datetime(datetime.fromtimestamp(int(now_s) + retry_after_s, UTC), usegmt=True)
    return ((b"retry-after", date.encode()),)
