"""Transcript of the requirements of RFC 7541 (HPACK)."""

from tests.wire.conformance.transcript import HPACK, rows

INTERMEDIARY = "no end of ours is an intermediary, and none sends on what it has received"

RFC7541 = rows(
    HPACK,
    {
        "2.1": (
            "An encoder MUST order header field representations in the header block according to their ordering in the "
            "original header list.",
            "A decoder MUST order header fields in the decoded header list according to their ordering in the header block.",
        ),
        "2.3.2": ("duplicate entries MUST NOT be treated as an error by a decoder",),
        "2.3.3": (
            "Indices strictly greater than the sum of the lengths of both tables MUST be treated as a decoding error.",
        ),
        "3.2": (
            "To ensure that the decoding will successfully produce a header list, a decoder MUST obey the following rules.",
        ),
        "4.2": (
            "the chosen size MUST stay lower than or equal to the maximum set by the protocol",
            "This dynamic table size update MUST occur at the beginning of the first header block following the change to the "
            "dynamic table size.",
            "the smallest maximum table size that occurs in that interval MUST be signaled in a dynamic table size update",
        ),
        "5.1": (
            "Integer encodings that exceed implementation limits — in value or octet length — MUST be treated as decoding "
            "errors.",
        ),
        "5.2": (
            "A padding strictly longer than 7 bits MUST be treated as a decoding error.",
            "A padding not corresponding to the most significant bits of the code for the EOS symbol MUST be treated as a "
            "decoding error.",
            "A Huffman-encoded string literal containing the EOS symbol MUST be treated as a decoding error.",
        ),
        "6.1": ("It MUST be treated as a decoding error if found in an indexed header field representation.",),
        "6.2.3": (
            ("Intermediaries MUST use the same representation for encoding this header field.", INTERMEDIARY),
            (
                "When a header field is represented as a literal header field never indexed, it MUST always be encoded with "
                "this specific literal representation.",
                INTERMEDIARY,
            ),
            ("it MUST use the same representation to forward this header field", INTERMEDIARY),
        ),
        "6.3": (
            "The new maximum size MUST be lower than or equal to the limit determined by the protocol using HPACK.",
            "A value that exceeds this limit MUST be treated as a decoding error.",
        ),
        "7.1.3": (
            ("MUST NOT re-encode a value that uses the never-indexed literal representation", INTERMEDIARY),
            ("the never-indexed literal representation MUST be used", INTERMEDIARY),
        ),
    },
)
