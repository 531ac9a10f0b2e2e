"""What delivery and lanes ask of a provider: how its requests look, and what its answers mean. One object for each campaign.

Everything that differs between providers stands behind it, so that lanes, delivery, run and shells are the same for all.
"""

from collections.abc import Callable
from typing import NamedTuple, Protocol

from sender.reaction import Answer
from sender.store.records import Due
from sender.template import Refusal
from wire.request import Response


class Farewell(NamedTuple):
    """What a GOAWAY says. `reason`: the provider's word, "" for none. `final`: every further connection would end the same."""

    reason: str
    final: bool


class Provider(Protocol):
    """The notifications of one campaign as requests of a provider, and its answers as ours.

    `title`: for messages to people. `answer_varying`: names of the response fields that differ from one to the next.
    `streams_max`: how many requests it takes on one connection at a time; None: as many as it announces. `path`: of every
    request; where there is an `id_format`, the token stands behind it. `id_format`: of the second field of
    `request_varying`, formatted with the device id; None: the body alone tells devices apart. `body_of`: the body for one
    device, or why there is none. `body_bytes_max`: longer ones are not sent, but refused as `too_large`.
    """

    title: str
    request_varying: tuple[bytes, bytes]
    answer_varying: tuple[bytes, bytes]
    streams_max: int | None
    path: bytes
    id_format: bytes | None
    body_of: Callable[[Due], bytes | Refusal]
    body_bytes_max: int
    too_large: Refusal

    def header_fields(self, authorization: bytes) -> list[tuple[bytes, bytes]]:
        """Fields of every request, in sending order, with the varying ones left open. `authorization` b"": no such field."""

    def read_answer(self, response: Response) -> Answer:
        """A response other than 200 as an answer, with the action that it asks for."""

    def read_goaway(self, debug: bytes) -> Farewell:
        """The debug data of a GOAWAY."""
