"""The id of a notification: the same however often it is sent and by whichever process, so that a repeat can be recognised."""


def notification_id_prefix(campaign_key: int) -> bytes:
    """All of an id but its last 12 digits, which are the device id (below 2^48): `prefix + b"%012x" % device_id`, a UUID.

    `campaign_key`: 64 random bits.
    """
    digits = f"{campaign_key:016x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:]}-0000-".encode()
