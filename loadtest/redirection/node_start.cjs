// What `pushrig run` has Node.js do at its start (NODE_OPTIONS=--require): the providers' hosts lead to the simulator.
//
// Everything that connects in Node.js, http, https, http2, tls and fetch included, does so by net.Socket's connect; TLS
// takes the name that it asks for from elsewhere and never learns of the change. For programs that look a name up first and
// then connect to the address, each host resolves to a loopback address of its own that nobody listens on.
"use strict";

const childProcess = require("node:child_process");
const dns = require("node:dns");
const net = require("node:net");

// Written by loadtest/redirection/environment.py, as python_start/sitecustomize.py reads them too.
const hosts = (process.env.PUSHRIG_REDIRECT_HOSTS ?? "").split(" ").filter(Boolean);
const port = Number(process.env.PUSHRIG_REDIRECT_PORT);
const proxy = process.env.PUSHRIG_REDIRECT_PROXY;
const rig = "127.0.0.1";

const standIns = new Map(hosts.map((host, index) => [host, `127.83.0.${index + 1}`]));
const ownAddresses = new Set(standIns.values());

function standInOf(host) {
  return typeof host === "string" ? standIns.get(host.replace(/\.$/, "").toLowerCase()) : undefined;
}

function redirectConnections() {
  const connect = net.Socket.prototype.connect;
  const isRedirected = (host) =>
    standInOf(host) !== undefined || (typeof host === "string" && ownAddresses.has(host.replace(/^::ffff:/i, "")));
  const redirected = (options) => (isRedirected(options.host) ? { ...options, host: rig, port } : options);

  net.Socket.prototype.connect = function (...given) {
    const [first, second, ...rest] = given;
    if (Array.isArray(first)) {
      // What net.connect has made of its arguments: options and callback, in an array marked as its own.
      if (first[0]) first[0] = redirected(first[0]);
    } else if (typeof first === "object" && first !== null) {
      given[0] = redirected(first);
    } else if (isRedirected(second)) {
      given = [port, rig, ...rest];
    }
    return connect.apply(this, given);
  };
}

function redirectNames() {
  const lookup = dns.lookup;
  dns.lookup = function (host, ...rest) {
    return lookup.call(this, standInOf(host) ?? host, ...rest);
  };
  // `util.promisify` must give addresses and families as it does for the original.
  Object.defineProperties(dns.lookup, Object.getOwnPropertyDescriptors(lookup));
  const lookupPromise = dns.promises.lookup;
  dns.promises.lookup = function (host, ...rest) {
    return lookupPromise.call(this, standInOf(host) ?? host, ...rest);
  };
}

// Many packages read HTTPS_PROXY themselves. Our proxy is for programs without such a hook: it is hidden here and
// given back to the programs that this one starts.
function hideOurProxy() {
  const hidden = Object.entries(process.env).filter(
    ([name, value]) => value === proxy && name.toUpperCase() === "HTTPS_PROXY",
  );
  for (const [name] of hidden) delete process.env[name];

  const spawn = childProcess.ChildProcess.prototype.spawn;
  childProcess.ChildProcess.prototype.spawn = function (options) {
    const pairs = options.envPairs ?? [];
    const added = hidden.filter(([name]) => !pairs.some((pair) => pair.startsWith(`${name}=`)));
    return spawn.call(this, { ...options, envPairs: [...pairs, ...added.map(([name, value]) => `${name}=${value}`)] });
  };
  for (const name of ["spawnSync", "execSync", "execFileSync"]) {
    const original = childProcess[name];
    childProcess[name] = function (...given) {
      const last = given.findLastIndex((each) => each !== undefined);
      const options = typeof given[last] === "object" && !Array.isArray(given[last]) ? given.splice(last)[0] : undefined;
      const env = { ...Object.fromEntries(hidden), ...(options?.env ?? process.env) };
      return original.call(this, ...given.filter((each) => each !== undefined), { ...options, env });
    };
  }
}

if (hosts.length > 0 && port > 0) {
  redirectConnections();
  redirectNames();
  if (proxy) hideOurProxy();
}
