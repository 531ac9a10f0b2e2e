"""HTTP/2 and its header compression without I/O, both ends of a connection: bytes in, messages and events out.

An owner (an asyncio protocol, a gevent greenlet, a test) makes one `ServerConnection` or `ClientConnection` per socket and
moves bytes; it needs four calls:

    server = ServerConnection({MAX_CONCURRENT_STREAMS: 1_000})
    for request in server.receive_data(bytes_of_one_read):                  # whole requests, in order of completion
        server.answer(request.stream_id, stateless_block([(b":status", b"200")]))
    for event in server.take_events(): ...                                  # resets, pings, settings, goodbyes
    socket.sendall(server.data_to_send())                                   # one write per read

    client = ClientConnection()
    prepared = client.prepare([(b":method", b"POST"), ..., (b":path", b""), (b"apns-id", b"")])
    client.send(prepared, b"/3/device/...", b"7f2c...", body)               # as often as `streams_free` says

It is made for push notifications: bodies are small and kept whole, requests differ in two header fields (`:path` and
`apns-id`) and share the rest. So both ends have a hot path for HEADERS + DATA in one read, and a general way for all else;
the two agree on every byte. Out of scope, and refused or ignored: server push, priorities, CONNECT and HEAD from the client.

Faults are values. Of the peer: a stream error resets the stream and becomes an event; a connection error sends GOAWAY and
stands in `failed`. Of the owner: LocalProtocolError, raised before anything is queued. Rules cite RFC 9113 (HTTP/2) by bare
section number, RFC 7541 (HPACK) in the modules that compress.

The modules in reading order, each resting on those before it:

    frames         names, numbers, and functions that write each kind of frame
    errors         error codes, and the tree of exceptions
    budget         how much of what a peer may do beside its messages
    events         what a connection tells its owner besides messages
    request        messages: shared heads, varying values, bodies
    fields         which header fields make a message well formed
    huffman        the code of HPACK's strings
    static_table   the fields every HPACK table begins with
    hpack          header blocks to fields and back
    heads          header blocks to heads, recognising what has been seen
    patterns       messages that are alike, told by regular expressions
    settings       values in force, and values on their way
    states         the states of a stream, as tables
    streams        where streams stand, how they end, bodies that wait for windows
    connection     frames in, and what both ends do about them
    server         requests in, answers out
    prepared       requests that repeat all but two values, encoded once
    client         requests out, answers in
"""
