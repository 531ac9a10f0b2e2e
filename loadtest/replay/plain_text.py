"""Somebody else's text on a line of ours: what a terminal, an XML reader or a person would stumble over is spelled out."""

TEXT_CHARACTERS_MAX = 300


def plain(text: str, characters_max: int = TEXT_CHARACTERS_MAX) -> str:
    """The text on one line, cut, with everything that is not printable as an escape."""
    cut = text if len(text) <= characters_max else text[: characters_max - 1] + "…"
    return "".join(each if each.isprintable() else _escaped(each) for each in cut)


def plain_lines(text: str, lines_max: int, characters_max: int = TEXT_CHARACTERS_MAX) -> list[str]:
    """The last lines of a text, each as `plain` has it."""
    return [plain(line, characters_max) for line in text.splitlines()[-lines_max:]]


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode()
