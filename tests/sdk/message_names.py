"""Names of messages as FCM gives them, by what they are for."""

_BEGIN = r"projects/pushrig-[a-z0-9]+/messages/"

ANDROID = _BEGIN + r"0:[0-9]{16}%[0-9a-f]{16}"
IOS = _BEGIN + r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
WEB = ANDROID
TOPIC = _BEGIN + r"[0-9]+"
DRY_RUN = _BEGIN + "fake_message_id"
