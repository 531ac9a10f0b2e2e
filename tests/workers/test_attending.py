"""What a worker tells the front of its own accord."""

import asyncio

from simulator.workers.asked import TRAFFIC_KIND, read_traffic
from simulator.workers.attending import CHANGES_A_MESSAGE_MAX, Attendance
from tests.control.control_server import new_rig

PID = 1_000


class Front:
    """The end of the channel that a worker tells things."""

    def __init__(self) -> None:
        self.traffic: list[bytes] = []

    def tell(self, kind: str, body: bytes = b"") -> None:
        if kind == TRAFFIC_KIND:
            self.traffic.append(body)


def test_what_requests_change_in_one_turn_is_told_in_messages_of_a_bounded_size() -> None:
    async def told() -> list[bytes]:
        rig, front = new_rig(), Front()
        Attendance(rig, PID).begin(front)
        for number in range(CHANGES_A_MESSAGE_MAX + 1):
            rig.fcm.subscriptions.add(b"%d" % number, "news", 0.0)
        assert front.traffic == []
        await asyncio.sleep(0)
        return front.traffic

    messages = [read_traffic(body) for body in asyncio.run(told())]
    assert [len(each.changes) for each in messages] == [CHANGES_A_MESSAGE_MAX, 1]
    assert {each.pid for each in messages} == {PID}
