"""What a sender's command means."""

import pytest

from loadtest.external.command_text import (
    COMMAND_CHARACTERS_MAX,
    MEANINGS,
    CommandTextError,
    filled,
    names_in,
    words_of,
)


def test_words_are_told_apart_before_anything_is_filled_in() -> None:
    words = words_of("""node "my sender.js" --to {tokens} -H 'topic: {topic}'""")
    arguments = filled(words, {"tokens": "/tmp/a b/$(x) '.txt", "topic": "t; rm"})
    assert arguments == ["node", "my sender.js", "--to", "/tmp/a b/$(x) '.txt", "-H", "topic: t; rm"]


def test_what_was_filled_in_is_not_filled_in_again() -> None:
    assert filled(words_of("x {topic}"), {"topic": "{tokens}", "tokens": "no"}) == ["x", "{tokens}"]


def test_json_is_left_alone() -> None:
    words = words_of("""x '{"aps":{"alert":"{}"}}'""")
    assert (names_in(words), filled(words, {})) == ([], ["x", '{"aps":{"alert":"{}"}}'])


def test_every_name_is_known_and_told_once() -> None:
    words = words_of("x " + " ".join(f"{{{name}}}" for name in MEANINGS) + " {tokens}")
    assert names_in(words) == list(MEANINGS)


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("", "there is no command"),
        ("  # nothing", None),
        ("''", "there is no command"),
        ("x 'y", "No closing quotation; quote it as for a shell"),
        ("x {token}", "{token} stands for nothing; there are {tokens}, {csv}"),
        ("x \0", "contains a NUL"),
        ("x" * (COMMAND_CHARACTERS_MAX + 1), "longer than 32,768 characters"),
    ],
)
def test_what_cannot_be_read_is_refused(command: str, why: str | None) -> None:
    if why is None:  # a shell would take it for a comment; here a word is a word
        assert words_of(command) == ("#", "nothing")
        return
    with pytest.raises(CommandTextError) as raised:
        words_of(command)
    assert why in str(raised.value)
