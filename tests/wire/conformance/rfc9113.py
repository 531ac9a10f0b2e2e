"""Transcript of the requirements of RFC 9113 (HTTP/2), sections 3 to 8, and 10.5.1 for header lists that are too large."""

from tests.wire.conformance.transcript import HTTP2, rows

PUSH = "no end of ours pushes, or takes pushes: the client announces ENABLE_PUSH 0"
PADDING = "no end of ours pads what it sends"
INTERMEDIARY = "no end of ours is an intermediary"
CONNECT = "no end of ours is a proxy: a CONNECT reaches the application as a request, and the client sends none"
EXTENSION = "a rule for the authors of extensions; there are none here"

RFC9113 = rows(
    HTTP2,
    {
        "3.2": (
            'The "h2c" protocol identifier MUST NOT be sent by a client or selected by a server',
            "both the client and the server MUST send a connection preface",
        ),
        "3.3": (
            "HTTP/2 connections over TLS MUST use protocol negotiation in TLS",
            "Likewise, the server MUST send a connection preface.",
        ),
        "3.4": (
            "This sequence MUST be followed by a SETTINGS frame … which MAY be empty",
            "a potentially empty SETTINGS frame … that MUST be the first frame the server sends",
            "The SETTINGS frames received from a peer as part of the connection preface MUST be acknowledged",
            "Clients and servers MUST treat an invalid connection preface as a connection error … of type PROTOCOL_ERROR",
        ),
        "4.1": (
            "MUST NOT be sent unless the receiver has set a larger value for SETTINGS_MAX_FRAME_SIZE",
            "Implementations MUST ignore and discard frames of unknown types.",
            "Unused flags MUST be ignored on receipt and MUST be left unset (0x00) when sending.",
            "the bit MUST remain unset (0x00) when sending and MUST be ignored when receiving",
        ),
        "4.2": (
            "All implementations MUST be capable of receiving and minimally processing frames up to",
            "MUST send an error code of FRAME_SIZE_ERROR if a frame exceeds the size defined in SETTINGS_MAX_FRAME_SIZE, "
            "exceeds any limit defined for the frame type, or is too small to contain mandatory frame data",
            "A frame size error in a frame that could alter the state of the entire connection MUST be treated as a "
            "connection error",
        ),
        "4.3": (
            "Field blocks MUST be transmitted as a contiguous sequence of frames",
            "MUST terminate the connection with a connection error … of type COMPRESSION_ERROR if it does not decompress "
            "a field block",
            "A decoding error in a field block MUST be treated as a connection error … of type COMPRESSION_ERROR",
        ),
        "4.3.1": (
            "its HPACK encoder MUST start the next field block with a Dynamic Table Size Update instruction",
            "MUST treat a field block that follows an acknowledgment of the reduction to the maximum dynamic table size as a "
            "connection error … of type COMPRESSION_ERROR if it does not start with a conformant Dynamic Table Size Update "
            "instruction",
        ),
        "5.1": (
            "Receiving any frame other than HEADERS or PRIORITY on a stream in this state MUST be treated as a connection "
            "error … of type PROTOCOL_ERROR",
            "then receiving a HEADERS frame MUST also be treated as a connection error … of type PROTOCOL_ERROR",
            ("MUST NOT send any type of frame other than HEADERS, RST_STREAM, or PRIORITY in this state", PUSH),
            (
                "Receiving any type of frame other than RST_STREAM, PRIORITY, or WINDOW_UPDATE on a stream in this state MUST",
                PUSH,
            ),
            ("MUST NOT send any type of frame other than RST_STREAM, WINDOW_UPDATE, or PRIORITY in this state", PUSH),
            (
                "Receiving any type of frame other than HEADERS, RST_STREAM, or PRIORITY on a stream in this state MUST",
                PUSH,
            ),
            "If an endpoint receives additional frames, other than WINDOW_UPDATE, PRIORITY, or RST_STREAM, for a stream that "
            "is in this state, it MUST respond with a stream error … of type STREAM_CLOSED",
            "An endpoint MUST NOT send frames other than PRIORITY on a closed stream.",
            "An endpoint MUST minimally process and then discard any frames it receives in this state.",
        ),
        "5.1.1": (
            "Streams initiated by a client MUST use odd-numbered stream identifiers",
            ("those initiated by the server MUST use even-numbered stream identifiers", PUSH),
            "The identifier of a newly established stream MUST be numerically greater than all streams that the initiating "
            "endpoint has opened or reserved",
            "An endpoint that receives an unexpected stream identifier MUST respond with a connection error … of type "
            "PROTOCOL_ERROR",
        ),
        "5.1.2": (
            "Endpoints MUST NOT exceed the limit set by their peer.",
            "An endpoint that receives a HEADERS frame that causes its advertised concurrent stream limit to be exceeded MUST "
            "treat this as a stream error … of type PROTOCOL_ERROR or REFUSED_STREAM",
        ),
        "5.2.1": ("A sender MUST respect flow-control limits imposed by a receiver.",),
        "5.2.2": (
            (
                "Endpoints MUST read and process HTTP/2 frames from the TCP receive buffer as soon as data is available.",
                "both shells hand each read to `wire` at once; of a client that does not read its answers the simulator "
                "stops reading, so that its memory is bounded",
            ),
        ),
        "5.4": ("If a frame causes a connection error, that error MUST be reported.",),
        "5.4.1": (
            "After sending the GOAWAY frame for an error condition, the endpoint MUST close the TCP connection.",
        ),
        "5.4.2": (
            "The peer that sends the RST_STREAM frame MUST be prepared to receive any frames that were sent or enqueued for "
            "sending by the remote peer.",
            "an endpoint MUST NOT send a RST_STREAM in response to a RST_STREAM frame",
        ),
        "5.5": (
            "Implementations MUST ignore unknown or unsupported values in all extensible protocol elements.",
            "Implementations MUST discard frames that have unknown or unsupported types.",
            "extension frames that appear in the middle of a field block … are not permitted; these MUST be treated as a "
            "connection error … of type PROTOCOL_ERROR",
            (
                "An extension that changes existing protocol elements or state MUST be negotiated before being used.",
                EXTENSION,
            ),
            ("the initial value MUST be defined in such a fashion that the extension is initially disabled", EXTENSION),
        ),
        "6.1": (
            ("Padding octets MUST be set to zero when sending.", PADDING),
            "DATA frames MUST be associated with a stream.",
            "If a DATA frame is received whose Stream Identifier field is 0x00, the recipient MUST respond with a connection "
            "error … of type PROTOCOL_ERROR",
            'If a DATA frame is received whose stream is not in the "open" or "half-closed (local)" state, the recipient MUST '
            "respond with a stream error … of type STREAM_CLOSED",
            "If the length of the padding is the length of the frame payload or greater, the recipient MUST treat this as a "
            "connection error … of type PROTOCOL_ERROR",
        ),
        "6.2": (
            ("Padding octets MUST be set to zero when sending.", PADDING),
            "A HEADERS frame without the END_HEADERS flag set MUST be followed by a CONTINUATION frame for the same stream.",
            "A receiver MUST treat the receipt of any other type of frame or a frame on a different stream as a connection "
            "error … of type PROTOCOL_ERROR",
            "HEADERS frames MUST be associated with a stream.",
            "If a HEADERS frame is received whose Stream Identifier field is 0x00, the recipient MUST respond with a "
            "connection error … of type PROTOCOL_ERROR",
            "If the length of the padding is the length of the frame payload or greater, the recipient MUST treat this as a "
            "connection error … of type PROTOCOL_ERROR",
        ),
        "6.3": (
            "If a PRIORITY frame is received with a stream identifier of 0x00, the recipient MUST respond with a connection "
            "error … of type PROTOCOL_ERROR",
            "A PRIORITY frame with a length other than 5 octets MUST be treated as a stream error … of type FRAME_SIZE_ERROR",
        ),
        "6.4": (
            "After receiving a RST_STREAM on a stream, the receiver MUST NOT send additional frames for that stream",
            "after sending the RST_STREAM, the sending endpoint MUST be prepared to receive and process additional frames",
            "RST_STREAM frames MUST be associated with a stream.",
            "If a RST_STREAM frame is received with a stream identifier of 0x00, the recipient MUST treat this as a "
            "connection error … of type PROTOCOL_ERROR",
            'RST_STREAM frames MUST NOT be sent for a stream in the "idle" state.',
            "If a RST_STREAM frame identifying an idle stream is received, the recipient MUST treat this as a connection "
            "error … of type PROTOCOL_ERROR",
            "A RST_STREAM frame with a length other than 4 octets MUST be treated as a connection error … of type "
            "FRAME_SIZE_ERROR",
        ),
        "6.5": (
            "A SETTINGS frame MUST be sent by both endpoints at the start of a connection",
            "Implementations MUST support all of the settings defined by this specification.",
            "When this bit is set, the frame payload of the SETTINGS frame MUST be empty.",
            "Receipt of a SETTINGS frame with the ACK flag set and a length field value other than 0 MUST be treated as a "
            "connection error … of type FRAME_SIZE_ERROR",
            "The stream identifier for a SETTINGS frame MUST be zero (0x00).",
            "If an endpoint receives a SETTINGS frame whose Stream Identifier field is anything other than 0x00, the endpoint "
            "MUST respond with a connection error … of type PROTOCOL_ERROR",
            "A badly formed or incomplete SETTINGS frame MUST be treated as a connection error … of type PROTOCOL_ERROR",
            "A SETTINGS frame with a length other than a multiple of 6 octets MUST be treated as a connection error … of type "
            "FRAME_SIZE_ERROR",
        ),
        "6.5.2": (
            "A server MUST NOT send a PUSH_PROMISE frame if it receives this parameter set to a value of 0",
            "A client that has both set this parameter to 0 and had it acknowledged MUST treat the receipt of a PUSH_PROMISE "
            "frame as a connection error … of type PROTOCOL_ERROR",
            "Any value other than 0 or 1 MUST be treated as a connection error … of type PROTOCOL_ERROR",
            "A server MUST NOT explicitly set this value to 1.",
            "if a server does include a value, it MUST be 0",
            "A client MUST treat receipt of a SETTINGS frame with SETTINGS_ENABLE_PUSH set to 1 as a connection error … of "
            "type PROTOCOL_ERROR",
            "Values above the maximum flow-control window size of … MUST be treated as a connection error … of type "
            "FLOW_CONTROL_ERROR",
            "The value advertised by an endpoint MUST be between this initial value and the maximum allowed frame size",
            "Values outside this range MUST be treated as a connection error … of type PROTOCOL_ERROR",
            "An endpoint that receives a SETTINGS frame with any unknown or unsupported identifier MUST ignore that setting.",
        ),
        "6.5.3": (
            "the recipient of a SETTINGS frame in which the ACK flag is not set MUST apply the updated settings as soon as "
            "possible upon receipt",
            "The values in the SETTINGS frame MUST be processed in the order they appear",
            "Unsupported settings MUST be ignored.",
            "Once all values have been processed, the recipient MUST immediately emit a SETTINGS frame with the ACK flag set.",
        ),
        "6.6": (
            ("The promised stream identifier MUST be a valid choice for the next stream sent by the sender", PUSH),
            ("Padding octets MUST be set to zero when sending.", PUSH),
            ("A PUSH_PROMISE frame without the END_HEADERS flag set MUST be followed by a CONTINUATION frame", PUSH),
            ("A receiver MUST treat the receipt of any other type of frame or a frame on a different stream as", PUSH),
            ("PUSH_PROMISE frames MUST only be sent on a peer-initiated stream that is in either", PUSH),
            "If the Stream Identifier field specifies the value 0x00, a recipient MUST respond with a connection error … of "
            "type PROTOCOL_ERROR",
            "PUSH_PROMISE MUST NOT be sent if the SETTINGS_ENABLE_PUSH setting of the peer endpoint is set to 0.",
            "An endpoint that has set this setting and has received acknowledgment MUST treat the receipt of a PUSH_PROMISE "
            "frame as a connection error … of type PROTOCOL_ERROR",
            ("A sender MUST NOT send a PUSH_PROMISE on a stream unless that stream is either", PUSH),
            "A receiver MUST treat the receipt of a PUSH_PROMISE on a stream that is neither … nor … as a connection error … "
            "of type PROTOCOL_ERROR",
            ("an endpoint that has sent RST_STREAM on the associated stream MUST handle PUSH_PROMISE frames", PUSH),
            ("A receiver MUST treat the receipt of a PUSH_PROMISE that promises an illegal stream identifier", PUSH),
            ("If the length of the padding is the length of the frame payload or greater, the recipient MUST", PUSH),
        ),
        "6.7": (
            "PING frames MUST contain 8 octets of opaque data in the frame payload",
            "Receivers of a PING frame that does not include an ACK flag MUST send a PING frame with the ACK flag set in "
            "response, with an identical frame payload.",
            "An endpoint MUST set this flag in PING responses.",
            "An endpoint MUST NOT respond to PING frames containing this flag.",
            "If a PING frame is received with a Stream Identifier field value other than 0x00, the recipient MUST respond with "
            "a connection error … of type PROTOCOL_ERROR",
            "Receipt of a PING frame with a length field value other than 8 MUST be treated as a connection error … of type "
            "FRAME_SIZE_ERROR",
        ),
        "6.8": (
            "Receivers of a GOAWAY frame MUST NOT open additional streams on the connection",
            "An endpoint MUST treat a GOAWAY frame with a stream identifier other than 0x00 as a connection error … of type "
            "PROTOCOL_ERROR",
            "Endpoints MUST NOT increase the value they send in the last stream identifier",
            "HEADERS, PUSH_PROMISE, and CONTINUATION frames MUST be minimally processed to ensure that the state maintained "
            "for field section compression is consistent",
            "DATA frames MUST be counted toward the connection flow-control window",
            (
                "Logged or otherwise persistently stored debug data MUST have adequate safeguards",
                "the sender keeps 80 characters of it as the reason of the end of a connection, and stores nothing",
            ),
        ),
        "6.9": (
            "Frames that are exempt from flow control MUST be accepted and processed",
            "A receiver MUST treat the receipt of a WINDOW_UPDATE frame with a flow-control window increment of 0 as a stream "
            "error … of type PROTOCOL_ERROR; errors on the connection flow-control window MUST be treated as a connection "
            "error",
            "A receiver MUST NOT treat this as an error",
            "A receiver that receives a flow-controlled frame MUST always account for its contribution against the connection "
            "flow-control window",
            "A WINDOW_UPDATE frame with a length other than 4 octets MUST be treated as a connection error … of type "
            "FRAME_SIZE_ERROR",
        ),
        "6.9.1": (
            "The sender MUST NOT send a flow-controlled frame with a length that exceeds the space available in either of the "
            "flow-control windows advertised by the receiver.",
            "A sender MUST NOT allow a flow-control window to exceed",
            "If a sender receives a WINDOW_UPDATE that causes a flow-control window to exceed this maximum, it MUST terminate "
            "either the stream or the connection, as appropriate.",
        ),
        "6.9.2": (
            "a receiver MUST adjust the size of all stream flow-control windows that it maintains by the difference between "
            "the new value and the old value",
            "A sender MUST track the negative flow-control window and MUST NOT send new flow-controlled frames until it "
            "receives WINDOW_UPDATE frames that cause the flow-control window to become positive.",
            "MUST treat a change to SETTINGS_INITIAL_WINDOW_SIZE that causes any flow-control window to exceed the maximum "
            "size as a connection error … of type FLOW_CONTROL_ERROR",
        ),
        "6.9.3": ("the receiver MUST be prepared to receive data that exceeds this window size",),
        "6.10": (
            "If the END_HEADERS flag is not set, this frame MUST be followed by another CONTINUATION frame.",
            "A receiver MUST treat the receipt of any other type of frame or a frame on a different stream as a connection "
            "error … of type PROTOCOL_ERROR",
            "CONTINUATION frames MUST be associated with a stream.",
            "If a CONTINUATION frame is received with a Stream Identifier field of 0x00, the recipient MUST respond with a "
            "connection error … of type PROTOCOL_ERROR",
            "A CONTINUATION frame MUST be preceded by a HEADERS, PUSH_PROMISE or CONTINUATION frame without the END_HEADERS "
            "flag set.",
            "A recipient that observes violation of this rule MUST respond with a connection error … of type PROTOCOL_ERROR",
        ),
        "7": ("Unknown or unsupported error codes MUST NOT trigger any special behavior.",),
        "8.1": (
            "Other frames (from any stream) MUST NOT occur between the HEADERS frame and any CONTINUATION frames that might "
            "follow.",
            "Trailers MUST NOT include pseudo-header fields",
            "An endpoint that receives pseudo-header fields in trailers MUST treat the request or response as malformed",
            "An endpoint that receives a HEADERS frame without the END_STREAM flag set after receiving the HEADERS frame that "
            "opens a request or after receiving a final (non-informational) status code MUST treat the corresponding request "
            "or response as malformed",
            "Clients MUST NOT discard responses as a result of receiving such a RST_STREAM",
        ),
        "8.1.1": (
            ("MUST NOT forward a malformed request or response", INTERMEDIARY),
            "Malformed requests or responses that are detected MUST be treated as a stream error … of type PROTOCOL_ERROR",
            "Clients MUST NOT accept a malformed response.",
        ),
        "8.2": ("Field names MUST be converted to lowercase when constructing an HTTP/2 message.",),
        "8.2.1": (
            "Implementations MUST perform the following minimal validation of field names and values",
            "A field name MUST NOT contain characters in the ranges 0x00-0x20, 0x41-0x5a, or 0x7f-0xff",
            "field names MUST NOT include a colon",
            "A field value MUST NOT contain the zero value (ASCII NUL, 0x00), line feed (ASCII LF, 0x0a), or carriage return "
            "(ASCII CR, 0x0d) at any position.",
            "A field value MUST NOT start or end with an ASCII whitespace character",
            "A request or response that contains a field that violates any of these conditions MUST be treated as malformed",
            (
                "an intermediary that does not process fields when forwarding messages MUST NOT forward fields",
                INTERMEDIARY,
            ),
        ),
        "8.2.2": (
            "An endpoint MUST NOT generate an HTTP/2 message containing connection-specific header fields.",
            "Any message containing connection-specific header fields MUST be treated as malformed",
            'when it is, it MUST NOT contain any value other than "trailers"',
            (
                "An intermediary transforming an HTTP/1.x message to HTTP/2 MUST remove connection-specific",
                INTERMEDIARY,
            ),
        ),
        "8.2.3": (
            (
                "If there are multiple Cookie header fields after decompression, these MUST be concatenated into a single "
                "octet string",
                "fields are handed out as they came, and never leave HTTP/2 for another context",
            ),
        ),
        "8.3": (
            "Endpoints MUST NOT generate pseudo-header fields other than those defined in this document.",
            "Pseudo-header fields defined for requests MUST NOT appear in responses; pseudo-header fields defined for "
            "responses MUST NOT appear in requests.",
            "Pseudo-header fields MUST NOT appear in a trailer section.",
            "Endpoints MUST treat a request or response that contains undefined or invalid pseudo-header fields as malformed",
            "All pseudo-header fields MUST appear in a field block before all regular field lines.",
            "Any request or response that contains a pseudo-header field that appears in a field block after a regular field "
            "line MUST be treated as malformed",
            "The same pseudo-header field name MUST NOT appear more than once in a field block.",
            "A field block for an HTTP request or response that contains a repeated pseudo-header field name MUST be treated "
            "as malformed",
        ),
        "8.3.1": (
            "The recipient of an HTTP/2 request MUST NOT use the Host header field to determine the target URI if … is present",
            'Clients that generate HTTP/2 requests directly MUST use the ":authority" pseudo-header field to convey authority '
            "information",
            "Clients MUST NOT generate a request with a Host header field that differs from the",
            (
                "other servers MUST perform scheme-based normalization",
                "the simulator compares no Host field with :authority; it looks the name of the provider up in a list",
            ),
            ("An intermediary that forwards a request over HTTP/2 MUST construct an", INTERMEDIARY),
            ("An intermediary that needs to generate a Host header field … MUST use the value from the", INTERMEDIARY),
            "MUST NOT include the deprecated userinfo subcomponent",
            'This pseudo-header field MUST NOT be empty for "http" or "https" URIs',
            (
                '"http" or "https" URIs that do not contain a path component MUST include a value of \'/\'',
                "paths come from the application, which has one for each notification",
            ),
            (
                'an OPTIONS request for an "http" or "https" URI that does not include a path component; these MUST include a',
                "no end of ours asks for OPTIONS",
            ),
            'All HTTP/2 requests MUST include exactly one valid value for the ":method", ":scheme", and ":path" pseudo-header '
            "fields",
        ),
        "8.3.2": (
            "This pseudo-header field MUST be included in all responses, including interim responses; otherwise, the response "
            "is malformed",
        ),
        "8.4": (
            ("Promised requests MUST be safe … and cacheable", PUSH),
            ("Clients that receive a promised request that is not cacheable, that is not known to be safe", PUSH),
            ("Pushed responses that are not cacheable MUST NOT be stored by any HTTP cache.", PUSH),
            ("The server MUST include a value in the", PUSH),
            ("A client MUST treat a PUSH_PROMISE for which the server is not authoritative as a stream error", PUSH),
            "servers MUST treat the receipt of a PUSH_PROMISE frame as a connection error … of type PROTOCOL_ERROR",
        ),
        "8.4.1": (
            ("The header fields in PUSH_PROMISE and any subsequent CONTINUATION frames MUST be a valid", PUSH),
            ("The server MUST include a method in the … pseudo-header field that is safe and cacheable", PUSH),
            ("it MUST respond on the promised stream with a stream error", PUSH),
            "PUSH_PROMISE frames MUST NOT be sent by the client.",
            ("but the stream MUST be in either the", PUSH),
        ),
        "8.4.2": (("Clients receiving a pushed response MUST validate that either the server is authoritative", PUSH),),
        "8.5": (
            'The ":scheme" and ":path" pseudo-header fields MUST be omitted.',
            (
                "Frame types other than DATA or stream management frames … MUST NOT be sent on a connected stream",
                CONNECT,
            ),
            ("a proxy MUST send a TCP segment with the RST bit set", CONNECT),
        ),
        "8.7": (
            "A server MUST NOT indicate that a stream has not been processed unless it can guarantee that fact.",
            "then REFUSED_STREAM MUST NOT be used for that stream, and a GOAWAY frame MUST include a stream identifier that is "
            "greater than or equal to the given stream identifier",
        ),
        "10.5.1": (
            "The field block MUST be processed to ensure a consistent connection state, unless the connection is closed.",
        ),
    },
)
