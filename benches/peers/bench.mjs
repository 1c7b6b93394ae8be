// benches/peers/run.sh starts this. Each gateway in turn: a rate from webhook to acknowledged delivery, then kill -9 in the
// middle. Prints what was measured in this run.
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { cpus, loadavg, release } from "node:os";
import { join } from "node:path";
import { crossdock, n8n, nodeRed, SECRET } from "./gateways.mjs";
import { request } from "./orders.mjs";
import { blast, receiver } from "./wire.mjs";

const CONNECTIONS = 64;
// Orders to warm up with, to measure, and to be killed among; the longest time for each.
const PLAN = {
  crossdock: { gateway: crossdock, warm: 500, count: 20_000, crash: 6_000 },
  "node-red": { gateway: nodeRed({ keepAlive: false, late: false }), warm: 500, count: 10_000, crash: 6_000 },
  "node-red-keepalive": { gateway: nodeRed({ keepAlive: true, late: false }), warm: 500, count: 10_000, crash: 6_000 },
  "node-red-late": { gateway: nodeRed({ keepAlive: true, late: true }), warm: 500, count: 10_000, crash: 6_000 },
  n8n: { gateway: n8n({ unsaved: false }), warm: 100, count: 1_500, crash: 600 },
  "n8n-unsaved": { gateway: n8n({ unsaved: true }), warm: 100, count: 1_500, crash: 600 },
};
// Other ways to set the same one up, measured after it.
const SET_UP = { "node-red": ["node-red-keepalive", "node-red-late"], n8n: ["n8n-unsaved"] };
const TARGET = { "node-red": 4, "node-red-keepalive": 4, "node-red-late": 4, n8n: 60, "n8n-unsaved": 60 };
const LIMIT = 180_000;
const DATA = mkdtempSync(join(process.env.PEERS_DIR, "data-"));
const running = new Set();

const ended = (child) => new Promise((done) => (child.exitCode !== null || child.signalCode !== null ? done() : child.once("exit", done)));

/** Of a process and those it started: resident memory in MiB, and seconds of CPU so far. */
function taken(pid) {
  try {
    const memory = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / 1024;
    // Behind the name, which may hold anything: state is field 3, user and system time are 14 and 15, in hundredths.
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").pop().split(" ");
    const cpu = (Number(fields[11]) + Number(fields[12])) / 100;
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").filter(Boolean);
    return children.map(taken).reduce((sum, one) => ({ memory: sum.memory + one.memory, cpu: sum.cpu + one.cpu }), { memory, cpu });
  } catch {
    return { memory: 0, cpu: 0 };
  }
}

async function started(plan, name, target, known) {
  const data = join(DATA, name);
  if (!known) mkdirSync(data, { recursive: true });
  const gateway = await plan.gateway.start(data, target, known);
  running.add(gateway.child);
  return gateway;
}

const requests = (gateway, from, count) =>
  Array.from({ length: count }, (_, n) => request(gateway.port, gateway.path, SECRET, from + n));

async function rate(name, plan) {
  const warehouse = await receiver();
  const gateway = await started(plan, `${name}-rate`, warehouse.port);
  await blast(gateway.port, requests(gateway, 1, plan.warm), 16).done;
  if (!await warehouse.has(plan.warm, LIMIT)) throw new Error(`only ${warehouse.seen.size} of ${plan.warm} orders to warm up arrived`);
  await warehouse.quiet(300, 5_000);
  const before = warehouse.seen.size;
  const load = requests(gateway, plan.warm + 1, plan.count);
  const cpu = taken(gateway.child.pid).cpu;
  const at = performance.now();
  const sent = blast(gateway.port, load, CONNECTIONS);
  const intake = sent.done.then(() => (performance.now() - at) / 1000);
  const all = await warehouse.has(before + plan.count, LIMIT);
  const seconds = (performance.now() - at) / 1000;
  const arrived = warehouse.seen.size - before;
  const after = taken(gateway.child.pid);
  const result = { version: plan.gateway.version(), perSecond: arrived / seconds, seconds, arrived, all, memory: after.memory,
    cpu: ((after.cpu - cpu) * 1e6) / arrived, intake: all ? plan.count / await intake : NaN, refused: sent.refused() };
  gateway.child.kill("SIGKILL");
  await ended(gateway.child);
  warehouse.close();
  return result;
}

// `acknowledged` are those that got a 2xx: the shop will not send them again. The others it would.
/** kill -9 when a third has arrived; then it is started again on the same data and left until nothing more comes. */
async function crash(name, plan) {
  const warehouse = await receiver();
  const gateway = await started(plan, `${name}-crash`, warehouse.port);
  await blast(gateway.port, requests(gateway, 1, plan.warm), 16).done;
  await warehouse.has(plan.warm, LIMIT);
  await warehouse.quiet(300, 5_000);
  const first = plan.warm + 1;
  const sent = blast(gateway.port, requests(gateway, first, plan.crash), CONNECTIONS);
  await warehouse.has(warehouse.seen.size + Math.floor(plan.crash / 3), LIMIT);
  gateway.child.kill("SIGKILL");
  await ended(gateway.child);
  await sent.done;
  const at = await warehouse.quiet(1_000, 10_000);
  const again = await started(plan, `${name}-crash`, warehouse.port, gateway);
  await warehouse.quiet(10_000, 120_000);
  const lost = sent.acknowledged.filter((index) => !warehouse.seen.has(String(first + index))).length;
  const twice = [...warehouse.seen].filter(([number, times]) => Number(number) >= first && times > 1).length;
  again.child.kill("SIGKILL");
  await ended(again.child);
  warehouse.close();
  return { acknowledged: sent.acknowledged.length, lost, twice, after: warehouse.seen.size - at };
}

function machine() {
  const model = cpus()[0]?.model ?? "?";
  console.log(`machine            ${cpus().length} cores of ${model}, Linux ${release()}, load ${loadavg()[0].toFixed(1)}, node ${process.version}`);
}

async function main() {
  const names = process.argv.slice(2).flatMap((name) => [name, ...(SET_UP[name] ?? [])]);
  for (const name of names) if (!PLAN[name]) throw new Error(`no ${name}: crossdock, node-red, n8n`);
  machine();
  const rates = {};
  for (const name of names) {
    const plan = PLAN[name];
    const r = rates[name] = await rate(name, plan);
    console.log(`${name.padEnd(18)} ${r.version}: ${r.perSecond.toFixed(0)} orders/s from webhook to acknowledged delivery (${r.arrived} of ${plan.count} in ${r.seconds.toFixed(1)} s`
      + `${r.all ? "" : ", NOT ALL ARRIVED"}; intake ${r.intake.toFixed(0)}/s; ${r.refused} refused), CPU ${r.cpu.toFixed(0)} µs an order, memory ${r.memory.toFixed(0)} MiB, load ${loadavg()[0].toFixed(1)}`);
  }
  for (const [peer, target] of Object.entries(TARGET)) {
    if (!rates.crossdock || !rates[peer]) continue;
    const ratio = rates.crossdock.perSecond / rates[peer].perSecond;
    console.log(`ratio              crossdock / ${peer}: ${ratio.toFixed(1)} (target ≥ ${target}: ${ratio >= target ? "met" : "missed"})`);
  }
  for (const name of names) {
    const c = await crash(name, PLAN[name]);
    console.log(`kill -9            ${name}: ${c.acknowledged} orders acknowledged, ${c.lost} of them never arrived, ${c.twice} arrived twice, ${c.after} came after the restart: `
      + (c.lost === 0 ? "no order was lost" : "ORDERS WERE LOST"));
  }
}

const clean = () => {
  for (const child of running) if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
  rmSync(DATA, { recursive: true, force: true, maxRetries: 5 });
};
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => { clean(); process.exit(1); });

try {
  await main();
} catch (error) {
  console.error(`benches/peers: ${error.stack ?? error}`);
  process.exitCode = 1;
} finally {
  clean();
}
process.exit(process.exitCode ?? 0);
