// A program that sends with firebase-admin as its documentation says, and prints what came of each step, a line of JSON each.
//
// It runs under `pushrig run`: nothing in it leads to the simulator. Argument: the package, such as firebase-admin-14.

const [, , packageName] = process.argv;
const { applicationDefault, initializeApp } = await import(`${packageName}/app`);
const { getMessaging } = await import(`${packageName}/messaging`);

const deviceCount = 4; // as in rates.toml
const projectCount = 100;

initializeApp({ credential: applicationDefault() });
const messaging = getMessaging();
const notification = { title: "Hello", body: "World" };

// The simulator's control API, as the tests of its users would ask it.

async function control(method, path, body) {
  const answer = await fetch(`${process.env.PUSHRIG_CONTROL_URL}/api/v1/${path}`, {
    method,
    headers: { "content-type": "application/json" },
    body: body && JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`${method} ${path}: ${await answer.text()}`);
  return answer.json();
}

async function registrations(count = 1, fate = "active", platform = "android") {
  const { devices } = await control("POST", "tokens", { provider: "fcm", count, fate, platform });
  return devices.map((device) => device.token);
}

async function one(fate = "active", platform = "android") {
  const [token] = await registrations(1, fate, platform);
  return token;
}

async function timesAccepted(tokens) {
  return Promise.all(tokens.map(async (token) => (await control("GET", `tokens/${token}`)).ledger.accepted));
}

// Messages to topics arrive after their answer.
async function awaitDeliveries(tokens) {
  for (const token of tokens) {
    const found = await control("GET", `notifications?token=${token}&status=200&count=1&wait_s=10&limit=0`);
    if (!found.complete) throw new Error(`nothing came to ${token}`);
  }
}

async function callsTo(service) {
  return (await control("GET", "stats")).counters.google_calls[service] ?? 0;
}

async function changed(path, change, back, during) {
  await control("PUT", path, change);
  try {
    return await during();
  } finally {
    await control("PUT", path, back);
  }
}

// What a program can tell of answers.

async function refused(message) {
  try {
    return { code: null, name: await messaging.send(message) };
  } catch (error) {
    return { code: error.code, text: error.message };
  }
}

function batch({ successCount, failureCount, responses }) {
  const answers = responses.map((each) => (each.success ? each.messageId : each.error.code));
  return { successCount, failureCount, answers };
}

function topicChange({ successCount, failureCount, errors }) {
  return { successCount, failureCount, errors: errors.map(({ index, error }) => [index, error.code]) };
}

async function ofEveryFate() {
  const reached = ["android", "ios", "web"].map((platform) => one("active", platform));
  const lost = ["unregistered", "other-sender", "invalid-shape"].map((fate) => one(fate));
  return Promise.all([...reached, ...lost]);
}

const steps = {
  async sends() {
    const tokens = await Promise.all(["android", "ios", "web"].map((platform) => one("active", platform)));
    const names = [];
    for (const token of tokens) names.push(await messaging.send({ token, notification }));
    return { names, accepted: await timesAccepted(tokens) };
  },

  async full_message() {
    const name = await messaging.send({
      token: await one(),
      data: { order: "17" },
      notification: { ...notification, imageUrl: "https://example.com/image.png" },
      android: {
        collapseKey: "order",
        priority: "high",
        ttl: 3_600_500,
        data: { order: "17" },
        notification: {
          icon: "stock_ticker_update",
          color: "#f45342",
          titleLocKey: "title",
          titleLocArgs: ["a", "b"],
          eventTimestamp: new Date(0),
          priority: "high",
          vibrateTimingsMillis: [100, 200],
          lightSettings: { color: "#aabbcc", lightOnDurationMillis: 200, lightOffDurationMillis: 300 },
          visibility: "public",
          notificationCount: 3,
        },
        fcmOptions: { analyticsLabel: "label" },
      },
      apns: {
        headers: { "apns-priority": "10" },
        payload: {
          aps: {
            alert: { title: "Title", body: "Body" },
            badge: 42,
            sound: { name: "default", critical: true, volume: 0.5 },
            contentAvailable: true,
          },
          order: 17,
        },
        fcmOptions: { analyticsLabel: "label", imageUrl: "https://example.com/image.png" },
      },
      webpush: {
        headers: { TTL: "60" },
        notification: { title: "Title", actions: [{ action: "open", title: "Open" }], silent: true },
        fcmOptions: { link: "https://example.com/" },
      },
      fcmOptions: { analyticsLabel: "label" },
    });
    return { name };
  },

  async dry_run() {
    const token = await one();
    const name = await messaging.send({ token, notification }, true);
    const each = batch(await messaging.sendEach([{ token, notification }], true));
    return { names: [name, ...each.answers], accepted: await timesAccepted([token]) };
  },

  async errors() {
    const token = await one();
    const found = {};
    for (const fate of ["unregistered", "stale", "other-sender", "invalid-shape"]) {
      found[fate] = await refused({ token: await one(fate), notification });
    }
    found["unregistered-ios"] = await refused({ token: await one("unregistered", "ios"), notification });
    found["reserved-key"] = await refused({ token, data: { from: "me" } });
    found["too-large"] = await refused({ token, data: { text: "x".repeat(4096) } });
    const ios = await one("active", "ios");
    const credential = (state) => ({ apns_credential: state });
    found["third-party"] = await changed("fcm", credential("invalid"), credential("valid"), () =>
      refused({ token: ios, notification }),
    );
    found.disabled = await changed("fcm", { api_enabled: false }, { api_enabled: true }, () =>
      refused({ token, notification }),
    );
    found["bad-gateway"] = await changed("service", { fcm: "bad-gateway" }, { fcm: "ok" }, () =>
      refused({ token, notification }),
    );
    return found;
  },

  async device_quota() {
    const token = await one();
    for (let sent = 0; sent < deviceCount; sent++) await messaging.send({ token, notification });
    return refused({ token, notification });
  },

  // Over HTTP/2, unless the program asks for the older way.
  async batches() {
    const tokens = await ofEveryFate();
    const found = {
      sendEach: batch(await messaging.sendEach(tokens.map((token) => ({ token, notification })))),
      multicast: batch(await messaging.sendEachForMulticast({ tokens, notification })),
    };
    const http1 = getMessaging(initializeApp({ credential: applicationDefault() }, "http1"));
    http1.enableLegacyHttpTransport();
    return { ...found, http1: batch(await http1.sendEachForMulticast({ tokens, notification })) };
  },

  async many() {
    await control("PUT", "clock", { advance_ms: 2_000 }); // a window of the project of its own
    const tokens = await registrations(projectCount);
    const { successCount } = await messaging.sendEachForMulticast({ tokens, notification });
    await control("PUT", "clock", { advance_ms: 2_000 });
    return { successCount, once: (await timesAccepted(tokens)).filter((times) => times === 1).length };
  },

  async topics() {
    const [first, second] = await registrations(2);
    const unregistered = await one("unregistered");
    const before = await Promise.all(["topic-subscriptions", "instance-id"].map(callsTo));
    const found = {
      subscribed: topicChange(await messaging.subscribeToTopic([first, unregistered, second], "news")),
      again: topicChange(await messaging.subscribeToTopic(first, "/topics/news")),
    };
    const after = await Promise.all(["topic-subscriptions", "instance-id"].map(callsTo));
    found.calls = after.map((calls, index) => calls - before[index]);
    found.name = await messaging.send({ topic: "news", notification });
    await awaitDeliveries([first, second]);
    found.accepted = await timesAccepted([first, second]);
    found.unsubscribed = topicChange(await messaging.unsubscribeFromTopic([first], "news"));
    found.condition = await messaging.send({ condition: "'news' in topics && !('sports' in topics)", notification });
    const twice = await control("GET", `notifications?token=${second}&status=200&count=2&wait_s=10&limit=0`);
    found.after_unsubscribing = [...(await timesAccepted([first])), twice.arrived];
    return found;
  },

  async project_quota() {
    await control("PUT", "clock", { mode: "freeze" });
    await control("PUT", "clock", { advance_ms: 60_000 });
    const tokens = await registrations(projectCount + 1);
    const { successCount, responses } = await messaging.sendEachForMulticast({ tokens, notification });
    const [{ error }] = responses.filter((each) => !each.success);
    await control("PUT", "clock", { mode: "real" });
    return { successCount, code: error.code, text: error.message };
  },

  // This library keeps its access token until it has grown old by its own clock, whatever it is told.
  async expired_token() {
    await control("PUT", "clock", { advance_ms: 2 * 3_600_000 });
    return refused({ token: await one(), notification });
  },
};

for (const [step, take] of Object.entries(steps)) {
  const told = await take().catch((error) => ({ raised: error.stack }));
  console.log(JSON.stringify({ step, ...told }));
}
