"""Every property under fuzz: of `wire` first, then of the other doors that strangers' bytes come in by."""

from typing import cast

from tests.fuzz.fcm_doors import FCM_DOORS
from tests.fuzz.google_doors import GOOGLE_DOORS
from tests.fuzz.property import AnyProperty
from tests.fuzz.sender_doors import SENDER_DOORS
from tests.fuzz.simulator_doors import SIMULATOR_DOORS
from tests.wire.any_bytes import READINGS
from tests.wire.conversation_machine import CONVERSATION
from tests.wire.header_blocks import HEADER_BLOCKS

PROPERTIES = cast(
    "list[AnyProperty]",
    [CONVERSATION, *READINGS, *HEADER_BLOCKS, *SIMULATOR_DOORS, *FCM_DOORS, *GOOGLE_DOORS, *SENDER_DOORS],
)  # each checks inputs of its own kind, and is given no other
