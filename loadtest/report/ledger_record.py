"""What the ledger says of some devices, as JSON. Pure."""

import msgspec

from loadtest.report.quantities import Count


class Ledger(msgspec.Struct, frozen=True, kw_only=True):
    """What the simulator saw: every device of the run, or of one sender, is exactly one of these."""

    accepted_once: Count
    accepted_more: Count
    rejected: Count
    never: Count
