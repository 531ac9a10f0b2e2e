"""The pages of Google's front end: what answers where no API does. Their text is Google's, the markup reduced to what counts.

Sources: B7 Front-end failure; B12: `/batch` answers 404 with a page that names the URL. That other unknown paths get the same
is [unconfirmed].
"""

from html import escape
from typing import Final

from simulator.http_answer import HTML, HttpAnswer

PATH_CHARACTERS_MAX: Final = 256
"""Ours: of a path that a page repeats."""

_PAGE = """<!DOCTYPE html>
<html lang=en>
  <meta charset=utf-8>
  <meta name=viewport content="initial-scale=1, minimum-scale=1, width=device-width">
  <title>Error {status} ({title})!!1</title>
  <p><b>{status}.</b> <ins>That’s an error.</ins>
  <p>{text}  <ins>That’s all we know.</ins>
"""


def not_found_page(path: bytes) -> HttpAnswer:
    """404. `path`: of the request, with its query, which is left out. What it holds is shown, never obeyed."""
    shown = path.partition(b"?")[0].decode("utf-8", "replace")[:PATH_CHARACTERS_MAX]
    text = f"The requested URL <code>{escape(shown)}</code> was not found on this server."
    return _page(404, "Not Found", text)


def bad_gateway_page() -> HttpAnswer:
    """502."""
    text = "The server encountered a temporary error and could not complete your request.<p>Please try again in 30 seconds."
    return _page(502, "Server Error", text)


def too_large_page() -> HttpAnswer:
    """413, for bodies that nobody needs to send."""
    return _page(413, "Request Entity Too Large", "Your client issued a request that was too large.")


def _page(status: int, title: str, text: str) -> HttpAnswer:
    return HttpAnswer(status, (HTML,), _PAGE.format(status=status, title=title, text=text).encode())
