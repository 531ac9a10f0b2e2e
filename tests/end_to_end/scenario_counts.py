"""What every scenario that ships is like under `pushrig send`: the same counts on any machine, each time. A transcript.

By scenario and provider, of each run of the sender: how many requests came, how many were accepted, and what became of those
that had no 200.
"""

COUNTS: dict[tuple[str, str], tuple[dict[str, int], ...]] = {
    ("bad-payload-not-bad-token", "fcm"): (
        {"requests": 300, "accepted": 0, "answered 400 INVALID_ARGUMENT": 300},
        {"requests": 300, "accepted": 300},
    ),
    ("connection-refused", "apns"): ({"requests": 3700, "accepted": 2000, "unanswered": 1700},),
    ("connection-refused", "fcm"): ({"requests": 2400, "accepted": 2000, "unanswered": 400},),
    ("expired-token-burst", "apns"): (
        {
            "requests": 2400,
            "accepted": 2000,
            "answered 403 ExpiredProviderToken": 360,
            "refused streams": 20,
            "reset streams": 20,
        },
    ),
    ("expired-token-burst", "fcm"): (
        {
            "requests": 2400,
            "accepted": 2000,
            "answered 401 UNAUTHENTICATED": 360,
            "refused streams": 20,
            "reset streams": 20,
        },
    ),
    ("fcm-exceeded-streams", "fcm"): ({"requests": 2000, "accepted": 2000},),
    ("goaway-abrupt", "apns"): ({"requests": 1800, "accepted": 1800, "unanswered": 300},),
    ("goaway-abrupt", "fcm"): ({"requests": 1800, "accepted": 1800, "unanswered": 300},),
    ("goaway-before-settings", "apns"): ({"requests": 500, "accepted": 500},),
    ("goaway-before-settings", "fcm"): ({"requests": 500, "accepted": 500},),
    ("goaway-mid-burst", "apns"): ({"requests": 1860, "accepted": 1500, "above the last stream of a GOAWAY": 360},),
    ("goaway-mid-burst", "fcm"): ({"requests": 1860, "accepted": 1500, "above the last stream of a GOAWAY": 360},),
    ("idle-close", "apns"): ({"requests": 594, "accepted": 500, "answered 429 TooManyRequests": 94},),
    ("idle-close", "fcm"): ({"requests": 596, "accepted": 500, "answered 429 QUOTA_EXCEEDED": 96},),
    ("long-stall-then-reset", "apns"): ({"requests": 1100, "accepted": 1000, "unanswered": 100},),
    ("long-stall-then-reset", "fcm"): ({"requests": 1100, "accepted": 1000, "unanswered": 100},),
    ("one-then-thousand", "apns"): ({"requests": 3000, "accepted": 3000},),
    ("refused-stream-late", "apns"): ({"requests": 2200, "accepted": 2000, "refused streams": 200},),
    ("refused-stream-late", "fcm"): ({"requests": 2200, "accepted": 2000, "refused streams": 200},),
    ("rejection-throttle", "apns"): ({"requests": 2000, "accepted": 1936, "answered 400 DeviceTokenNotForTopic": 64},),
    ("reregistered-after-410", "apns"): (
        {"requests": 400, "accepted": 271, "answered 410 Unregistered": 129},
        {"requests": 363, "accepted": 271, "answered 410 Unregistered": 92},
    ),
    ("retry-storm", "apns"): (
        {
            "requests": 1998,
            "accepted": 1000,
            "answered 429 TooManyRequests": 504,
            "answered 503 ServiceUnavailable": 494,
        },
    ),
    ("retry-storm", "fcm"): (
        {"requests": 1934, "accepted": 1000, "answered 429 QUOTA_EXCEEDED": 544, "answered 503 UNAVAILABLE": 390},
    ),
    ("silent-stream", "apns"): ({"requests": 506, "accepted": 500, "unanswered": 6},),
    ("silent-stream", "fcm"): ({"requests": 503, "accepted": 500, "unanswered": 3},),
    ("slow-handshake", "apns"): ({"requests": 500, "accepted": 500},),
    ("slow-handshake", "fcm"): ({"requests": 500, "accepted": 500},),
    ("token-renewed-too-often", "apns"): (
        {"requests": 1109, "accepted": 1000, "answered 503 ServiceUnavailable": 109},
    ),
    ("too-many-streams", "apns"): ({"requests": 3000, "accepted": 3000},),
    ("uninstall-wave", "apns"): (
        {"requests": 500, "accepted": 445, "answered 410 Unregistered": 55},
        {"requests": 445, "accepted": 399, "answered 410 Unregistered": 46},
        {"requests": 399, "accepted": 399},
    ),
    ("uninstall-wave", "fcm"): (
        {"requests": 500, "accepted": 450, "answered 404 UNREGISTERED": 50},
        {"requests": 450, "accepted": 405, "answered 404 UNREGISTERED": 45},
        {"requests": 405, "accepted": 405},
    ),
    ("window-starvation", "apns"): ({"requests": 1000, "accepted": 1000},),
    ("window-starvation", "fcm"): ({"requests": 1000, "accepted": 1000},),
    ("wrong-certificate-environment", "apns"): ({"requests": 0, "accepted": 0},),
}
