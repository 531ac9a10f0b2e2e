"""A credential that is changed more often than it need be: after some time, or whenever its user says so. No I/O."""

import math
from collections.abc import Callable

from sender.credential import Credential, CredentialAnswer, CredentialRequest


class RotatingCredential(Credential):
    """One credential after another. `fresh`: makes the next one; `every_s`: how old one becomes."""

    def __init__(self, fresh: Callable[[], Credential], every_s: float = math.inf) -> None:
        self._fresh, self._every_s = fresh, every_s
        self._current = fresh()
        self._since_s: float | None = None
        self._asking: Credential | None = None  # who asked: it may have been replaced when the answer comes

    def rotate(self) -> None:
        """From now on with another one."""
        self._current, self._since_s = self._fresh(), None

    def text(self, now_s: float) -> bytes | None:
        if self._since_s is not None and now_s - self._since_s >= self._every_s:
            self.rotate()
        text = self._current.text(now_s)
        if text is not None and self._since_s is None:
            self._since_s = now_s
        return text

    def renew(self, refused: bytes, now_s: float) -> bool:
        """What was refused may be an earlier one: its notifications go out again with the current one."""
        return self._current.renew(refused, now_s)

    def request(self, now_s: float) -> CredentialRequest | None:
        if self._asking is not None:
            return None
        request = self._current.request(now_s)
        if request is not None:
            self._asking = self._current
        return request

    def answered(self, answer: CredentialAnswer, now_s: float, draw: float) -> None:
        asked, self._asking = self._asking, None
        assert asked is not None, "nothing was asked for"
        asked.answered(answer, now_s, draw)
        self.refused, self.trouble = asked.refused, asked.trouble
