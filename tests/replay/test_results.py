"""What senders write as results: both forms, and what cannot be read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.replay import results
from loadtest.replay.results import Outcome, ResultsError, read_results


@pytest.mark.parametrize(
    "content",
    [
        b"token,outcome\nAB,accepted\ncd,invalid\n",
        b"AB,accepted\r\ncd,invalid,and,more\r\n",
        b'{"token":"AB","outcome":"accepted","at":1}\n\n{"token":"cd","outcome":"Invalid"}',
        b"\xef\xbb\xbf AB ,Accepted\ncd, invalid \n",
    ],
    ids=["csv", "csv-without-header", "json-lines", "csv-with-bom"],
)
def test_both_forms_are_read(content: bytes) -> None:
    assert read_results(content, "apns") == {"ab": Outcome.ACCEPTED, "cd": Outcome.INVALID}


def test_the_last_word_counts_and_fcms_tokens_keep_their_case() -> None:
    content = b"Ab:APA91b_x,failed\nAb:APA91b_x,accepted\n"
    assert read_results(content, "fcm") == {"Ab": Outcome.ACCEPTED}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"token,outcome\nab,gone\n", "line 2 of the results: no outcome 'gone'; there are: accepted, rejected"),
        (b"ab\n", "line 1 of the results: give token,outcome"),
        (b'{"token":"ab"}\n', "line 1 of the results: Object missing required field `outcome`"),
        (b"{" * 100_000, "line 1 of the results"),
        (b"\xff,accepted\n", "not UTF-8"),
        (b'"ab\x00,accepted', "line 1 of the results"),
    ],
)
def test_what_cannot_be_read_is_said_with_its_line(content: bytes, says: str) -> None:
    with pytest.raises(ResultsError) as raised:
        read_results(content, "apns")
    assert says in str(raised.value)


def test_results_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "RESULTS_BYTES_MAX", 10)
    assert read_results(b"a,accepted", "apns")
    with pytest.raises(ResultsError, match="larger than 10 bytes"):
        read_results(b"ab,accepted", "apns")


@given(st.binary() | st.text().map(str.encode) | st.from_regex(rb'[{"token:,outcome}\n\r]*', fullmatch=True))
def test_any_bytes_are_results_or_an_error_that_says_where(content: bytes) -> None:
    try:
        assert all(isinstance(outcome, Outcome) for outcome in read_results(content, "fcm").values())
    except ResultsError as error:
        assert "the results" in str(error)
