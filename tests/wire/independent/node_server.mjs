// Answers each request with the length of its body: by Node's own HTTP/2 server, with an interim response and trailers.
import http2 from "node:http2";

const server = http2.createServer({ settings: { maxConcurrentStreams: 30, headerTableSize: 256 } });
server.on("stream", (stream, headers) => {
  let size = 0;
  if (Math.random() < 0.5) stream.additionalHeaders({ ":status": 103, link: "</a>" });
  stream.on("data", (part) => (size += part.length));
  stream.on("end", () => {
    stream.respond({ ":status": 200, "x-path": headers[":path"] }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ checksum: "1" }));
    stream.end(String(size));
  });
});
server.listen(0, "127.0.0.1", () => process.stdout.write(`port ${server.address().port}\n`));
