"""Messages as the two ends hand them out: a head shared by all alike, and what differs from one to the next.

A push sender repeats nearly all header fields in every request. So a message is a `Head` (the fields that repeat, shared by
identity) plus the values of at most two `varying` fields that the connection was told about (`:path` and `apns-id`
for APNs), plus the body. What an application derives from a head it keeps in `head.memo`, once for thousands of requests.
"""

Fields = tuple[tuple[bytes, bytes], ...]


class Head:
    """The header fields of a message, apart from the varying values.

    `fields`: name and value in order of arrival, pseudo-header fields included; the first field of each varying name
    stands at its place with the value b"", since its value is in `Request.varying`. `fault`: why the message is malformed
    (RFC 9113, section 8.1.1), or None. `too_large`: the fault is the size of the list, and no field was kept (10.5.1).
    `content_length`: the value of that field in bytes, or None. `memo`: belongs to the application.
    """

    __slots__ = ("content_length", "fault", "fields", "memo", "too_large")

    def __init__(
        self,
        fields: Fields,
        fault: str | None = None,
        content_length: int | None = None,
        *,
        too_large: bool = False,
    ) -> None:
        self.fields = fields
        self.fault = fault
        self.content_length = content_length
        self.too_large = too_large
        self.memo: object | None = None

    def value(self, name: bytes) -> bytes | None:
        """The first value of a field that does not vary, or None."""
        return next((value for known, value in self.fields if known == name), None)


class Request:
    """One complete request. `varying`: values of the connection's varying names, None where absent; `body`: whole."""

    __slots__ = ("body", "head", "stream_id", "varying")

    def __init__(self, stream_id: int, head: Head, varying: tuple[bytes | None, bytes | None], body: bytes) -> None:
        self.stream_id = stream_id
        self.head = head
        self.varying = varying
        self.body = body


class Response(Request):
    """One complete response, with the same parts as a request."""

    __slots__ = ()


def whole_fields(message: Request, varying_names: tuple[bytes, bytes]) -> Fields:
    """All fields of a message with the varying values put back at their places: for logs, journals and tests."""
    values = dict(zip(varying_names, message.varying, strict=True))
    return tuple((name, values.pop(name, None) or value) for name, value in message.head.fields)
