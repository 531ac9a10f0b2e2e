// Sends pushes with Node's own HTTP/2 client: all streams at once, then again without a topic, a ping, too large a header list.
import fs from "node:fs";
import http2 from "node:http2";

const told = JSON.parse(process.argv[2]);
const url = new URL(told.url);
const session = http2.connect(url.origin, {
  ca: fs.readFileSync(told.ca),
  maxSendHeaderBlockLength: 1 << 20,
});
const statuses = {};
const reasons = {};

function push(headers) {
  return new Promise((resolve, reject) => {
    const stream = session.request({
      ":method": "POST",
      ":path": url.pathname,
      authorization: told.authorization,
      ...headers,
    });
    let status;
    let body = "";
    stream.on("response", (fields) => (status = fields[":status"]));
    stream.on("data", (part) => (body += part));
    stream.on("error", reject);
    stream.on("close", () => {
      statuses[status] = (statuses[status] ?? 0) + 1;
      if (body) {
        const { reason } = JSON.parse(body);
        reasons[reason] = (reasons[reason] ?? 0) + 1;
      }
      resolve();
    });
    stream.end(told.payload);
  });
}

await new Promise((resolve) => session.once("remoteSettings", resolve));
await push({ "apns-topic": told.topic });
const rest = [];
for (let at = 1; at < told.pushes; at++) rest.push(push({ "apns-topic": told.topic }));
for (let at = 0; at < told.pushes; at++) rest.push(push({}));
await Promise.all(rest);
const pinged = await new Promise((resolve) => session.ping((error) => resolve(error === null)));
await push({ "apns-topic": told.topic, "x-large": "v".repeat(9000) });
session.close();
process.stdout.write(JSON.stringify({ statuses, reasons, pinged }));
