"""An answer of a provider that is not on APNs's hot path: status, fields, body. The shells of HTTP/1.1 and HTTP/2 send it.

Requests come to the providers as `wire.request.Request` whatever they were carried by: the head has the pseudo-header
fields `:method`, `:scheme`, `:authority`, and `varying[0]` is `:path` with its query.
"""

from typing import NamedTuple

JSON = (b"content-type", b"application/json; charset=UTF-8")
HTML = (b"content-type", b"text/html; charset=UTF-8")


class HttpAnswer(NamedTuple):
    """`fields`: names in lower case, without `:status`, `content-length` and `date`, which the shells know."""

    status: int
    fields: tuple[tuple[bytes, bytes], ...]
    body: bytes
