// The three: how each is set up and started. A gateway is { version, start(data, receiverPort, known) } and start gives
// { port, path, child } when it is ready to take orders; with `known` (what start gave before) it starts once more on the same
// data. Everything listens on 127.0.0.1.
import { spawn, execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import net from "node:net";
import { join } from "node:path";

const DIR = process.env.PEERS_DIR;
const BINARY = process.env.BENCH_BINARY;
const TOKEN = "bench-admin-token-0123456789abcdef0123456789";
export const SECRET = "bench-webhook-secret";

// What the peers' flows do: about what a user writes by hand. No signature is checked, nothing is stored for audit, no phone
// number, pickup point or sum is verified: less than Crossdock's mapping does.
const MAP = `({ external_number: o.number, currency: o.currency, placed_at: o.date_created_gmt + "Z",
  payment: { method: o.payment_method, paid: o.date_paid !== null, cod: o.payment_method === "cod" },
  ship_to: { name: o.shipping.first_name + " " + o.shipping.last_name, line1: o.shipping.address_1, line2: o.shipping.address_2,
    city: o.shipping.city, postcode: o.shipping.postcode, country: o.shipping.country, phone: o.billing.phone, email: o.billing.email },
  lines: o.line_items.map((l) => ({ external_id: String(l.id), sku: l.sku, name: l.name, quantity: l.quantity,
    total: (Number(l.total) + Number(l.total_tax)).toFixed(2) })),
  charges: o.shipping_lines.map((s) => ({ kind: "shipping", code: s.method_id, total: (Number(s.total) + Number(s.total_tax)).toFixed(2) })),
  totals: { total: o.total, tax: o.total_tax } })`;

export function freePort() {
  return new Promise((done) => {
    const server = net.createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => done(port));
    });
  });
}

function run(command, args, options) {
  return spawn(command, args, { stdio: ["ignore", "ignore", "ignore"], ...options });
}

async function ready(url, child, wanted, ms) {
  for (const limit = Date.now() + ms; Date.now() < limit;) {
    if (child.exitCode !== null) throw new Error(`ended with ${child.exitCode} before it was ready`);
    const status = await fetch(url, { signal: AbortSignal.timeout(2000) }).then((r) => r.status, () => 0);
    if (wanted(status)) return;
    await new Promise((done) => setTimeout(done, 50));
  }
  throw new Error(`was not ready within ${ms / 1000} s`);
}

const versionOf = (name) => JSON.parse(readFileSync(join(DIR, name, "node_modules", name, "package.json"))).version;

export const crossdock = {
  version: () => execFileSync(BINARY, ["--version"]).toString().trim().split(" ").pop(),
  async start(data, target, known) {
    const port = known?.port ?? await freePort();
    const child = run(BINARY, ["serve"], { cwd: data, env: { PATH: process.env.PATH, CROSSDOCK_LISTEN: `127.0.0.1:${port}`,
      CROSSDOCK_DATA_DIR: data, CROSSDOCK_ADMIN_TOKEN: TOKEN, CROSSDOCK_ALLOW_PRIVATE_TARGETS: "true", CROSSDOCK_LOG: "warn" } });
    await ready(`http://127.0.0.1:${port}/readyz`, child, (s) => s === 200, 20_000);
    if (known) return { ...known, child };
    const post = async (path, body) => {
      const answer = await fetch(`http://127.0.0.1:${port}${path}`, { method: "POST", body: JSON.stringify(body),
        headers: { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" } });
      if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
      return answer.json();
    };
    const merchant = await post("/v1/merchants", { name: "Bench" });
    const connection = await post("/v1/connections", { merchant_id: merchant.id, connector: "woocommerce", name: "Bench",
      state: "active", release_from: "2020-01-01T00:00:00Z", settings: { base_url: "http://127.0.0.1:9" },
      credentials: { consumer_key: `ck_${"0".repeat(40)}`, consumer_secret: `cs_${"0".repeat(40)}`, webhook_secret: SECRET } });
    await post("/v1/subscriptions", { url: `http://127.0.0.1:${target}/`, event_types: ["fulfillment_order.submitted"] });
    return { port, path: `/hooks/${connection.id}`, child };
  },
};

/** How its flow is set up: `keepAlive` is a box of its HTTP request node, off as it comes; `late` answers the shop only when the
 * warehouse has the order, where it otherwise answers as soon as it has taken it. */
export const nodeRed = ({ keepAlive, late }) => ({
  version: () => versionOf("node-red"),
  async start(data, target, known) {
    const port = known?.port ?? await freePort();
    if (!known) {
      writeFileSync(join(data, "settings.js"), `module.exports = { uiHost: "127.0.0.1", uiPort: ${port}, flowFile: "flows.json",
        credentialSecret: false, httpAdminRoot: false, telemetry: { enabled: false }, logging: { console: { level: "error" } } };`);
      writeFileSync(join(data, "flows.json"), JSON.stringify([
        { id: "t", type: "tab", label: "orders" },
        { id: "in", z: "t", type: "http in", url: "/order", method: "post", wires: [late ? ["map"] : ["ok", "map"]] },
        { id: "ok", z: "t", type: "http response", statusCode: "200", wires: [] },
        { id: "map", z: "t", type: "function", outputs: 1, wires: [["out"]],
          func: `const o = msg.payload; msg.payload = ${MAP}; msg.headers = { "content-type": "application/json" }; return msg;` },
        { id: "out", z: "t", type: "http request", method: "POST", ret: "txt", persist: keepAlive, url: `http://127.0.0.1:${target}/`, wires: [late ? ["ok"] : []] },
      ]));
    }
    const child = run("node", [join(DIR, "node-red/node_modules/node-red/red.js"), "-u", data, "-s", join(data, "settings.js")],
      { cwd: data, env: { PATH: process.env.PATH, HOME: data, NODE_ENV: "production" } });
    // A GET of a POST's path: 404 from the router once HTTP nodes are there, connection refused before.
    await ready(`http://127.0.0.1:${port}/order`, child, (s) => s !== 0, 60_000);
    await flowsUp(port, "/order");
    return { port, path: "/order", child };
  },
});

/** Until a POST is answered with 2xx: flows start after the listener. The probe's number is "0". */
async function flowsUp(port, path) {
  for (const limit = Date.now() + 60_000; Date.now() < limit;) {
    const { order } = await import("./orders.mjs");
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, { method: "POST", body: order(0),
      headers: { "content-type": "application/json" } }).then((r) => r.ok, () => false);
    if (answer) return;
    await new Promise((done) => setTimeout(done, 200));
  }
  throw new Error("its flow did not start");
}

/** As it comes it keeps every execution in its SQLite; with `unsaved` it forgets those that went well. */
export const n8n = ({ unsaved }) => ({
  version: () => versionOf("n8n"),
  async start(data, target, known) {
    const port = known?.port ?? await freePort();
    const [broker, runner] = known?.more ?? [await freePort(), await freePort()];
    // As it comes, but for what calls home.
    const env = { PATH: process.env.PATH, HOME: data, N8N_USER_FOLDER: data, N8N_LISTEN_ADDRESS: "127.0.0.1", N8N_PORT: String(port),
      N8N_HOST: "127.0.0.1", NODE_ENV: "production", N8N_DIAGNOSTICS_ENABLED: "false", N8N_VERSION_NOTIFICATIONS_ENABLED: "false",
      N8N_TEMPLATES_ENABLED: "false", N8N_PERSONALIZATION_ENABLED: "false", N8N_HIRING_BANNER_ENABLED: "false",
      N8N_COMMUNITY_PACKAGES_ENABLED: "false", N8N_LOG_LEVEL: "error", N8N_RUNNERS_BROKER_PORT: String(broker),
      N8N_RUNNERS_BROKER_LISTEN_ADDRESS: "127.0.0.1", N8N_RUNNERS_LAUNCHER_HEALTH_CHECK_PORT: String(runner),
      EXTERNAL_FRONTEND_HOOKS_URLS: "", N8N_DIAGNOSTICS_CONFIG_FRONTEND: "", N8N_DIAGNOSTICS_CONFIG_BACKEND: "",
      ...(unsaved ? { EXECUTIONS_DATA_SAVE_ON_SUCCESS: "none" } : {}) };
    const program = join(DIR, "n8n/node_modules/n8n/bin/n8n");
    if (!known) {
      const file = join(data, "workflow.json");
      writeFileSync(file, JSON.stringify(workflow(target)));
      execFileSync("node", [program, "import:workflow", `--input=${file}`], { env, cwd: data, stdio: "pipe", timeout: 180_000 });
      execFileSync("node", [program, "publish:workflow", "--id=crossdockbench01"], { env, cwd: data, stdio: "pipe", timeout: 180_000 });
    }
    const child = run("node", [program, "start"], { env, cwd: data });
    await ready(`http://127.0.0.1:${port}/healthz/readiness`, child, (s) => s === 200, 180_000);
    await flowsUp(port, "/webhook/order");
    return { port, path: "/webhook/order", child, more: [broker, runner] };
  },
});

function workflow(target) {
  const node = (name, type, typeVersion, x, parameters, more) =>
    ({ id: name, name, type: `n8n-nodes-base.${type}`, typeVersion, position: [x, 0], parameters, ...more });
  const to = (name) => ({ main: [[{ node: name, type: "main", index: 0 }]] });
  return { id: "crossdockbench01", name: "orders", active: false, settings: { executionOrder: "v1" },
    nodes: [
      node("hook", "webhook", 2, 0, { httpMethod: "POST", path: "order", responseMode: "onReceived", options: {} }, { webhookId: "order" }),
      node("map", "set", 3.4, 200, { mode: "raw", options: {}, jsonOutput: `={{ ((o) => JSON.stringify(${MAP.replaceAll("\n", " ")}))($json.body) }}` }),
      node("send", "httpRequest", 4.2, 400, { method: "POST", url: `http://127.0.0.1:${target}/`, sendBody: true, specifyBody: "json",
        jsonBody: "={{ JSON.stringify($json) }}", options: {} })],
    connections: { hook: to("map"), map: to("send") } };
}
