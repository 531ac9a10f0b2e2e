// @parse/node-apn as its README uses it: one provider, all devices in one call; it retries what it retries by itself.

import fs from "node:fs";
import path from "node:path";
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const apn = require("@parse/node-apn");
console.log(`@parse/node-apn ${require("@parse/node-apn/package.json").version}, Node.js ${process.version}`);

const { env } = process;
const givenUpFile = path.join(env.PUSHRIG_STATE, "given-up");
const givenUp = new Set(fs.existsSync(givenUpFile) ? fs.readFileSync(givenUpFile, "utf8").split("\n") : []);
const rows = fs.readFileSync(env.PUSHRIG_DEVICES, "utf8").trim().split("\n").slice(1);
const registeredAtMs = new Map(rows.map((row) => row.split(",")).map(([token, ms]) => [token, Number(ms)]));
const tokens = [...registeredAtMs.keys()].filter((token) => !givenUp.has(token));

const provider = new apn.Provider({
  token: { key: env.APNS_KEY_FILE, keyId: env.APNS_KEY_ID, teamId: env.APNS_TEAM_ID },
  production: true,
});
const notification = new apn.Notification({ alert: "Hello", topic: env.PUSHRIG_TOPIC });
const { sent, failed } = await provider.send(notification, tokens);

const outcomes = new Map(sent.map(({ device }) => [device, "accepted"]));
const errors = new Map();
for (const { device, status, response, error } of failed) {
  const what = error ? String(error.message).slice(0, 100) : `${status} ${response?.reason}`;
  errors.set(what, (errors.get(what) ?? 0) + 1);
  const since = response?.timestamp;
  const gone = Number(status) === 410 && (since === undefined || since >= registeredAtMs.get(device));
  outcomes.set(device, gone ? "invalid" : status >= 400 && status < 500 && status != 429 ? "rejected" : "failed");
}
for (const [what, count] of [...errors].sort((one, other) => other[1] - one[1]).slice(0, 10)) {
  console.log(`${count} times: ${what}`);
}
const lines = [...outcomes].map(([token, outcome]) => `${token},${outcome}\n`);
fs.writeFileSync(env.PUSHRIG_RESULTS, `token,outcome\n${lines.join("")}`);
const dead = [...outcomes].filter(([, outcome]) => outcome === "invalid");
fs.appendFileSync(givenUpFile, dead.map(([token]) => `${token}\n`).join(""));
provider.shutdown();
