"""The same answers from the library `h2` in a bare asyncio protocol, as one would build a mock APNs without a framework.

Run as `python -m loadtest.bench.h2_server CERTIFICATE KEY`; prints its port, serves until it is killed. It accepts every
request and keeps nothing: what is measured is the library.
"""

import asyncio
import gc
import sys

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived, StreamEnded

from loadtest.bench.listening import listen, server_tls


class H2Server(asyncio.Protocol):
    """One connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._connection = H2Connection(H2Configuration(client_side=False, header_encoding=None))
        self._apns_ids: dict[int, bytes] = {}
        self._connection.initiate_connection()
        self._flush()

    def data_received(self, data: bytes) -> None:
        connection = self._connection
        for event in connection.receive_data(data):
            if isinstance(event, RequestReceived):
                fields = dict(event.headers or ())
                self._apns_ids[_number(event.stream_id)] = bytes(fields.get(b"apns-id", b""))
            elif isinstance(event, DataReceived):
                connection.acknowledge_received_data(event.flow_controlled_length or 0, _number(event.stream_id))
            elif isinstance(event, StreamEnded):
                stream_id = _number(event.stream_id)
                fields_of_answer = [(b":status", b"200"), (b"apns-id", self._apns_ids.pop(stream_id))]
                connection.send_headers(stream_id, fields_of_answer, end_stream=True)
        self._flush()

    def _flush(self) -> None:
        data = self._connection.data_to_send()
        if data:
            self._transport.write(data)


def _number(stream_id: int | None) -> int:
    assert stream_id is not None, "events of the library tell their stream"
    return stream_id


async def main(certificate: str, key: str) -> None:
    """Serve on a free port of loopback."""
    gc.set_threshold(50_000, 20, 20)
    await listen(H2Server, server_tls(certificate, key))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
