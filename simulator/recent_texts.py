"""What is kept of credentials by their exact text, so that each is verified once; bounded, whatever clients send."""

from typing import Generic, TypeVar

Kept = TypeVar("Kept")


class RecentTexts(Generic[Kept]):
    """Something kept for each of the last token texts, `texts_max` at most; the one kept first goes."""

    __slots__ = ("_kept", "_texts_max")

    def __init__(self, texts_max: int) -> None:
        self._kept: dict[bytes, Kept] = {}
        self._texts_max = texts_max

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, text: bytes) -> Kept | None:
        """What is kept for this text."""
        return self._kept.get(text)

    def keep(self, text: bytes, what: Kept) -> None:
        """Keep something for a text, in place of what was kept for it."""
        if text not in self._kept and len(self._kept) >= self._texts_max:
            del self._kept[next(iter(self._kept))]
        self._kept[text] = what

    def clear(self) -> None:
        """Forget all."""
        self._kept.clear()
