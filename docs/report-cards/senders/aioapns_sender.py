"""aioapns as its README uses it: one client, all notifications at once; it retries what it retries by itself."""

import asyncio
import os
from pathlib import Path

from aioapns import APNs, NotificationRequest
from replayed import Devices

KEY = Path(os.environ["APNS_KEY_FILE"]).read_text()


async def main() -> None:
    with Devices("aioapns", "h2") as devices:
        client = APNs(
            key=KEY,
            key_id=os.environ["APNS_KEY_ID"],
            team_id=os.environ["APNS_TEAM_ID"],
            topic=os.environ["PUSHRIG_TOPIC"],
        )

        async def send(token: str) -> None:
            try:
                result = await client.send_notification(NotificationRequest(token, {"aps": {"alert": "Hello"}}))
                devices.answered(token, int(result.status), result.description or "", result.timestamp)
            except Exception as error:
                devices.failed(token, error)

        await asyncio.gather(*map(send, devices.tokens))


asyncio.run(main())
