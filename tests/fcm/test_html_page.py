"""Google's pages: they name what was asked for, show it harmlessly, and are bounded."""

import pytest

from simulator.fcm.html_page import PATH_CHARACTERS_MAX, bad_gateway_page, not_found_page, too_large_page
from simulator.http_answer import HTML, HttpAnswer


@pytest.mark.parametrize(
    ("answer", "status", "title"),
    [
        (not_found_page(b"/batch"), 404, "Error 404 (Not Found)!!1"),
        (bad_gateway_page(), 502, "Error 502 (Server Error)!!1"),
        (too_large_page(), 413, "Error 413 (Request Entity Too Large)!!1"),
    ],
)
def test_a_page_names_its_status(answer: HttpAnswer, status: int, title: str) -> None:
    assert (answer.status, answer.fields) == (status, (HTML,))
    assert answer.body.startswith(b"<!DOCTYPE html>")
    assert f"<title>{title}</title>" in answer.body.decode()
    assert f"<b>{status}.</b>" in answer.body.decode()


def test_the_page_for_what_is_not_there_names_the_path_without_its_query() -> None:
    body = not_found_page(b"/batch?access_token=secret").body.decode()
    assert "The requested URL <code>/batch</code> was not found on this server." in body
    assert "secret" not in body


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        (b"/<script>alert('a')</script>&", "/&lt;script&gt;alert(&#x27;a&#x27;)&lt;/script&gt;&amp;"),
        (b"/\xff\xfe", "/��"),
        (b"/{status}%s", "/{status}%s"),
        (b"", ""),
    ],
)
def test_what_a_path_holds_is_shown_and_never_obeyed(path: bytes, shown: str) -> None:
    assert f"<code>{shown}</code>" in not_found_page(path).body.decode()


def test_of_a_long_path_the_beginning_is_shown() -> None:
    body = not_found_page(b"/" + b"x" * 8_000).body.decode()
    assert f"<code>/{'x' * (PATH_CHARACTERS_MAX - 1)}</code>" in body
