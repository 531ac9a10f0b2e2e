"""The client end of `wire` on a plain blocking socket, for servers that others have written."""

import socket
from collections.abc import Sequence

from wire.client import ClientConnection
from wire.request import Fields, Response

TIMEOUT_S = 20.0


def answers(port: int, requests: Sequence[tuple[Fields, bytes]]) -> dict[int, Response]:
    """Send all, as streams and windows allow, and return the answers by the number of their request."""
    waiting, numbers = list(enumerate(requests)), dict[int, int]()
    found: dict[int, Response] = {}
    connection = ClientConnection()
    with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S) as connected:
        while len(found) < len(requests):
            while waiting and connection.settings_received and connection.streams_free:
                number, (fields, body) = waiting.pop(0)
                numbers[connection.request(fields, body)] = number
            connected.sendall(connection.data_to_send())
            data = connected.recv(1 << 16)
            assert data, f"the server closed after {len(found)} answers: {connection.take_events()}"
            for response in connection.receive_data(data):
                found[numbers[response.stream_id]] = response
            assert connection.failed is None
        connection.goaway()
        connected.sendall(connection.data_to_send())
    assert connection.open_streams == 0
    return found
