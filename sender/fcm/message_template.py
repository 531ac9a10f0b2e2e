"""Personalised messages of FCM: the Message resource without a target, with placeholders as in any template.

    {"notification": {"title": "Hello {{name|friend}}"}, "data": {"campaign": "sale"}, "android": {"priority": "HIGH"}}

Each device's registration token is put in, and the notification's id as a data key: FCM has no id of its own and recognises
no repeats, so an app that minds must do it.
"""

from collections.abc import Callable

import msgspec

from sender import template
from sender.errors import SenderConfigurationError
from sender.notification_id import notification_id_prefix
from sender.store.records import Due
from sender.template import Refusal, Template, TemplateError

ID_KEY = "pushrig_id"
TARGETS = ("token", "fid", "topic", "condition")
REQUEST_BYTES_MAX = 32_768
"""Ours, and below every flow-control window: FCM counts 4,096 bytes of data and notification, for each platform."""

_ID_SLOT = b"\0"  # no JSON text holds this byte
_Members = dict[str, msgspec.Raw]
_decode_members = msgspec.json.Decoder(_Members).decode
_encode = msgspec.json.Encoder().encode


class MessageTemplate:
    """A compiled message. `names`: the attributes it needs; empty means that devices get the same but for token and id."""

    def __init__(self, rest: Template) -> None:
        """Use `compile`. `rest`: all of the request's body behind the id."""
        self.names = rest.names
        self._rest = rest

    def bodies(self, campaign_key: int, target: str = "token") -> Callable[[Due], bytes | Refusal]:
        """What makes the request's body for a device, compact JSON, or says why there is none.

        `campaign_key`: 64 random bits. `target`: one of `TARGETS`; what stands as the token of a notification is put in there.
        """
        rest_of = self._rest.payload_of
        id_format = notification_id_prefix(campaign_key) + b"%012x"
        before = b'{"message":{"%b":' % target.encode()
        between = b',"data":{"%b":"%b"' % (ID_KEY.encode(), id_format)
        join = b"".join

        def body_of(due: Due) -> bytes | Refusal:
            rest = rest_of(due)
            # The token is encoded as JSON: a store may hold any printable text.
            return join((before, _encode(due[1]), between % due[0], rest)) if isinstance(rest, bytes) else rest

        def body_with_more_ids_of(due: Due) -> bytes | Refusal:
            body = body_of(due)
            return body.replace(_ID_SLOT, id_format % due[0]) if isinstance(body, bytes) else body

        return body_with_more_ids_of if self._rest.holds(_ID_SLOT) else body_of


def compile(message: bytes) -> MessageTemplate:  # the name is as in `re`
    """Read a message, plain or with placeholders. Raises SenderConfigurationError (TemplateError is one)."""
    try:
        template.compile(message)
    except TemplateError as error:
        raise TemplateError(error.line, error.column, error.what, of="message") from None
    members = _decode_members(message)
    for name in TARGETS:
        if name in members:
            raise SenderConfigurationError(f"message: it has a `{name}`: leave it out, each device's token is put in")
    if "message" in members:
        raise SenderConfigurationError("message: give what stands inside of `message` alone")
    data = _members_of(members.pop("data", None), "data")
    for name in ("android", "webpush"):
        # Their `data` takes the place of the message's own.
        if name in members:
            members[name] = _with_id(members[name], name)
    rest = b"".join((*_listed(data), b"}", *_listed(members), b"}}"))
    compiled = MessageTemplate(template.compile_part(rest))
    if not compiled.names:
        body = compiled.bodies(0)(Due(1, "", 0, 0, b"{}"))
        if len(body) > REQUEST_BYTES_MAX:
            raise SenderConfigurationError(f"message: {len(body):,} bytes; at most {REQUEST_BYTES_MAX:,} are sent")
    return compiled


def _listed(members: _Members) -> list[bytes]:
    """Members of a JSON object, each behind a comma. Braces that were escaped in a key stay so."""
    return [b",%b:%b" % (_encode(name).replace(b"{{", b"\\u007b{"), bytes(value)) for name, value in members.items()]


def _with_id(platform: msgspec.Raw, name: str) -> msgspec.Raw:
    """A platform's config, with the id among its data if it has any."""
    try:
        members = _decode_members(platform)
    except msgspec.DecodeError:
        return platform  # no object: FCM will say so
    if "data" not in members:
        return platform
    data = _members_of(members["data"], f"{name}.data")
    with_id = b'{"%b":"%b"%b}' % (ID_KEY.encode(), _ID_SLOT, b"".join(_listed(data)))
    members["data"] = msgspec.Raw(with_id)
    return msgspec.Raw(b"{%b}" % b"".join(_listed(members))[1:])


def _members_of(data: msgspec.Raw | None, path: str) -> _Members:
    """The entries of a map of texts. Raises SenderConfigurationError."""
    if data is None or bytes(data) == b"null":
        return {}
    try:
        members = _decode_members(data)
    except msgspec.DecodeError:
        raise SenderConfigurationError(f"message: `{path}` is no JSON object: write names with texts") from None
    for name, value in members.items():
        if not bytes(value).startswith(b'"'):
            raise SenderConfigurationError(
                f"message: `{path}`: the value of {name[:40]!a} is no text: FCM takes texts only"
            )
    if ID_KEY in members:
        raise SenderConfigurationError(f"message: `{path}` has an entry {ID_KEY}: the notification's id stands there")
    return members
