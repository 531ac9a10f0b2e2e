"""A sender as one would first write it with httpx: a POST over HTTP/2 for each device, a hundred at a time, no retries."""

import asyncio
import os
import time
from pathlib import Path

import httpx
import jwt
from replayed import Devices

AT_A_TIME = 100


def provider_token() -> str:
    key = Path(os.environ["APNS_KEY_FILE"]).read_text()
    claims = {"iss": os.environ["APNS_TEAM_ID"], "iat": int(time.time())}
    return jwt.encode(claims, key, algorithm="ES256", headers={"kid": os.environ["APNS_KEY_ID"]})


async def main() -> None:
    headers = {"authorization": f"bearer {provider_token()}", "apns-topic": os.environ["PUSHRIG_TOPIC"]}
    free = asyncio.Semaphore(AT_A_TIME)
    with Devices("httpx", "h2") as devices:
        async with httpx.AsyncClient(http2=True, base_url="https://api.push.apple.com", headers=headers) as client:

            async def send(token: str) -> None:
                async with free:
                    try:
                        answer = await client.post(f"/3/device/{token}", json={"aps": {"alert": "Hello"}})
                        said = answer.json() if answer.content else {}
                        devices.answered(token, answer.status_code, said.get("reason", ""), said.get("timestamp"))
                    except Exception as error:
                        devices.failed(token, error)

            await asyncio.gather(*map(send, devices.tokens))


asyncio.run(main())
