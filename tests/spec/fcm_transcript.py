"""FCM's send API, transcribed by hand from the provider's pages and published captures; it referees the tables of the code.

Neither the simulator's nor the sender's tables are derived from these. What is marked [unconfirmed] no source confirms.
"""

FCM_ERROR_CODES = (
    ("INVALID_ARGUMENT", 400, "INVALID_ARGUMENT"),
    ("UNREGISTERED", 404, "NOT_FOUND"),
    ("SENDER_ID_MISMATCH", 403, "PERMISSION_DENIED"),
    ("QUOTA_EXCEEDED", 429, "RESOURCE_EXHAUSTED"),
    ("UNAVAILABLE", 503, "UNAVAILABLE"),
    ("INTERNAL", 500, "INTERNAL"),
    ("THIRD_PARTY_AUTH_ERROR", 401, "UNAUTHENTICATED"),
)
"""`errorCode` of FcmError, HTTP status, `status` of google.rpc. Source: ErrorCode reference. Two more names are there and
never sent: UNSPECIFIED_ERROR stands for no information, APNS_AUTH_ERROR is the old name of the last."""

FCM_DETAILS = (
    ("google.firebase.fcm.v1.FcmError", ("errorCode",)),
    ("google.firebase.fcm.v1.ApnsError", ("statusCode", "reason")),
    ("google.rpc.BadRequest", ("fieldViolations",)),
    ("google.rpc.QuotaFailure", ("violations",)),
    ("google.rpc.ErrorInfo", ("reason", "domain", "metadata")),
    ("google.rpc.Help", ("links",)),
)
"""`@type` without `type.googleapis.com/`, its fields. Source: captures; `fieldViolations` may be absent."""

CREDENTIAL_TAIL = (
    "Expected OAuth 2 access token, login cookie or other valid authentication credential. "
    "See https://developers.google.com/identity/sign-in/web/devconsole-project."
)

FCM_ENVELOPES = (
    (
        "No target",
        400,
        "INVALID_ARGUMENT",
        "Recipient of the message is not set.",
        ("BadRequest message", "FcmError INVALID_ARGUMENT"),
    ),
    (
        "Malformed token",
        400,
        "INVALID_ARGUMENT",
        "The registration token is not a valid FCM registration token",
        ("FcmError INVALID_ARGUMENT", "BadRequest message.token"),
    ),
    (
        "Bad topic",
        400,
        "INVALID_ARGUMENT",
        "Topic name contains invalid characters.",
        ("BadRequest message", "FcmError INVALID_ARGUMENT"),
    ),
    ("Bad condition", 400, "INVALID_ARGUMENT", "Request contains an invalid argument.", ()),
    (
        "Too large",
        400,
        "INVALID_ARGUMENT",
        "Message is too large. The maximum is 4K (4096 bytes).",
        ("BadRequest", "FcmError INVALID_ARGUMENT"),
    ),
    (
        "Reserved data key",
        400,
        "INVALID_ARGUMENT",
        "Invalid data payload key: from",
        ("FcmError INVALID_ARGUMENT", "BadRequest message.data"),  # the violation is [unconfirmed]
    ),
    (
        "Webpush TTL",
        400,
        "INVALID_ARGUMENT",
        "TTL must be a non-negative integer.",
        ("BadRequest message.webpush.headers.TTL", "FcmError INVALID_ARGUMENT"),
    ),
    (
        "Unknown JSON field",
        400,
        "INVALID_ARGUMENT",
        "Invalid JSON payload received. Unknown name \"x\" at 'message': Cannot find field.",
        ("BadRequest message",),
    ),
    (
        "Wrong JSON type",
        400,
        "INVALID_ARGUMENT",
        "Invalid value at 'message.data[0].value' (TYPE_STRING), 12",
        ("BadRequest message.data[0].value",),
    ),
    (
        "Two targets",  # [unconfirmed] for FCM
        400,
        "INVALID_ARGUMENT",
        "Invalid value at 'message' (oneof), oneof field 'target' is already set. Cannot set 'topic'",
        ("BadRequest message",),
    ),
    (
        "Several JSON faults",  # [unconfirmed] for FCM
        400,
        "INVALID_ARGUMENT",
        "Invalid JSON payload received. Unknown name \"x\" at 'message': Cannot find field.\n"
        "Invalid value at 'message.data[0].value' (TYPE_STRING), 12",
        ("BadRequest message message.data[0].value",),
    ),
    ("Unregistered", 404, "NOT_FOUND", "NotRegistered", ("FcmError UNREGISTERED",)),
    (
        "Unregistered on iOS",
        404,
        "NOT_FOUND",
        "NotRegistered",
        ("FcmError UNREGISTERED", "ApnsError 410 Unregistered"),
    ),
    (
        "Other project's token",
        403,
        "PERMISSION_DENIED",
        "SenderId mismatch",
        ("FcmError SENDER_ID_MISMATCH",),
    ),
    (
        "APNs credential bad",
        401,
        "UNAUTHENTICATED",
        "Auth error from APNS or Web Push Service",
        ("FcmError THIRD_PARTY_AUTH_ERROR", "ApnsError 403 InvalidProviderToken"),
    ),
    (
        "Topic rate",
        429,
        "RESOURCE_EXHAUSTED",
        "Topic quota exceeded.",
        ("FcmError QUOTA_EXCEEDED", "QuotaFailure"),
    ),
    (
        "Device rate",  # text [unconfirmed]
        429,
        "RESOURCE_EXHAUSTED",
        "Device message rate exceeded.",
        ("FcmError QUOTA_EXCEEDED", "QuotaFailure"),
    ),
    (
        "Message rate",  # text [unconfirmed]
        429,
        "RESOURCE_EXHAUSTED",
        "Message rate exceeded.",
        ("FcmError QUOTA_EXCEEDED", "QuotaFailure"),
    ),
    (
        "Project quota",
        429,
        "RESOURCE_EXHAUSTED",
        "Quota exceeded for quota metric 'Send requests' and limit 'Send requests per minute' of service "
        "'fcm.googleapis.com' for consumer 'project_number:42'.",
        ("ErrorInfo RATE_LIMIT_EXCEEDED", "Help"),
    ),
    ("Internal", 500, "INTERNAL", "Internal error encountered.", ("FcmError INTERNAL",)),
    ("Unavailable", 503, "UNAVAILABLE", "The service is currently unavailable.", ("FcmError UNAVAILABLE",)),
    (
        "No credential",
        401,
        "UNAUTHENTICATED",
        f"Request is missing required authentication credential. {CREDENTIAL_TAIL}",
        ("ErrorInfo CREDENTIALS_MISSING",),
    ),
    (
        "Bad access token",
        401,
        "UNAUTHENTICATED",
        f"Request had invalid authentication credentials. {CREDENTIAL_TAIL}",
        ("ErrorInfo ACCESS_TOKEN_TYPE_UNSUPPORTED",),  # [unconfirmed]
    ),
    (
        "Expired access token",
        401,
        "UNAUTHENTICATED",
        f"Request had invalid authentication credentials. {CREDENTIAL_TAIL}",
        ("ErrorInfo ACCESS_TOKEN_EXPIRED",),
    ),
    (
        "No permission, unknown project",
        403,
        "PERMISSION_DENIED",
        "Permission 'cloudmessaging.messages.create' denied on resource "
        "'//cloudresourcemanager.googleapis.com/projects/shop-1' (or it may not exist).",
        ("ErrorInfo IAM_PERMISSION_DENIED",),  # [unconfirmed]
    ),
    (
        "API not enabled",
        403,
        "PERMISSION_DENIED",
        "Firebase Cloud Messaging API has not been used in project 42 before or it is disabled. Enable it by visiting "
        "https://console.developers.google.com/apis/api/fcm.googleapis.com/overview?project=42 then retry. If you enabled "
        "this API recently, wait a few minutes for the action to propagate to our systems and retry.",
        ("ErrorInfo SERVICE_DISABLED",),
    ),
)
"""Cause, HTTP status, `status`, message, details: type and what tells it apart. Source: captures. Not among them: the
502 of a front end, which is a page of HTML, and the older texts, which are not sent."""

FCM_FIELDS = (
    ("message.name", "string"),
    ("message.data", "map"),
    ("message.notification", "message"),
    ("message.android", "message"),
    ("message.webpush", "message"),
    ("message.apns", "message"),
    ("message.fcm_options", "message"),
    ("message.token", "string"),
    ("message.fid", "string"),
    ("message.topic", "string"),
    ("message.condition", "string"),
    ("message.fcm_options.analytics_label", "string"),
    ("message.notification.title", "string"),
    ("message.notification.body", "string"),
    ("message.notification.image", "string"),
    ("message.android.collapse_key", "string"),
    ("message.android.priority", "NORMAL HIGH normal high"),
    ("message.android.ttl", "duration"),
    ("message.android.restricted_package_name", "string"),
    ("message.android.data", "map"),
    ("message.android.notification", "message"),
    ("message.android.fcm_options", "message"),
    ("message.android.fcm_options.analytics_label", "string"),
    ("message.android.direct_boot_ok", "boolean"),
    ("message.android.bandwidth_constrained_ok", "boolean"),
    ("message.android.restricted_satellite_ok", "boolean"),
    ("message.android.notification.title", "string"),
    ("message.android.notification.body", "string"),
    ("message.android.notification.icon", "string"),
    ("message.android.notification.sound", "string"),
    ("message.android.notification.tag", "string"),
    ("message.android.notification.click_action", "string"),
    ("message.android.notification.body_loc_key", "string"),
    ("message.android.notification.title_loc_key", "string"),
    ("message.android.notification.channel_id", "string"),
    ("message.android.notification.ticker", "string"),
    ("message.android.notification.image", "string"),
    ("message.android.notification.color", "colour"),
    ("message.android.notification.body_loc_args", "strings"),
    ("message.android.notification.title_loc_args", "strings"),
    ("message.android.notification.sticky", "boolean"),
    ("message.android.notification.local_only", "boolean"),
    ("message.android.notification.default_sound", "boolean"),
    ("message.android.notification.default_vibrate_timings", "boolean"),
    ("message.android.notification.default_light_settings", "boolean"),
    ("message.android.notification.event_time", "timestamp"),
    (
        "message.android.notification.notification_priority",
        "PRIORITY_UNSPECIFIED PRIORITY_MIN PRIORITY_LOW PRIORITY_DEFAULT PRIORITY_HIGH PRIORITY_MAX",
    ),
    ("message.android.notification.vibrate_timings", "durations"),
    ("message.android.notification.visibility", "VISIBILITY_UNSPECIFIED PRIVATE PUBLIC SECRET"),
    ("message.android.notification.notification_count", "int32"),
    ("message.android.notification.light_settings", "message"),
    ("message.android.notification.light_settings.color", "message"),
    ("message.android.notification.light_settings.color.red", "share"),
    ("message.android.notification.light_settings.color.green", "share"),
    ("message.android.notification.light_settings.color.blue", "share"),
    ("message.android.notification.light_settings.color.alpha", "share"),
    ("message.android.notification.light_settings.light_on_duration", "duration"),
    ("message.android.notification.light_settings.light_off_duration", "duration"),
    ("message.android.notification.bypass_proxy_notification", "boolean"),
    ("message.android.notification.proxy", "PROXY_UNSPECIFIED ALLOW DENY IF_PRIORITY_LOWERED"),
    ("message.webpush.headers", "map"),
    ("message.webpush.data", "map"),
    ("message.webpush.notification", "object"),
    ("message.webpush.fcm_options", "message"),
    ("message.webpush.fcm_options.link", "https"),
    ("message.webpush.fcm_options.analytics_label", "string"),
    ("message.apns.headers", "map"),
    ("message.apns.payload", "object"),
    ("message.apns.fcm_options", "message"),
    ("message.apns.fcm_options.analytics_label", "string"),
    ("message.apns.fcm_options.image", "string"),
    ("message.apns.live_activity_token", "string"),
    ("validate_only", "boolean"),
    ("message", "message"),
)
"""Field of a send request, its type. Source: discovery document, revision of March 2026; `fid` and `proxy` came later."""
