// The load generator and the receiver: plain sockets, so that they cost little beside what is measured.
import net from "node:net";

const END = Buffer.from("\r\n\r\n");
const NUMBER = Buffer.from('"external_number":"');

/** Where the message at the start of these bytes ends, or -1; with its head. */
function ends(bytes) {
  const at = bytes.indexOf(END);
  if (at < 0) return null;
  const head = bytes.latin1Slice(0, at);
  const length = /\r\ncontent-length: *(\d+)/i.exec(head);
  if (length) return bytes.length >= at + 4 + Number(length[1]) ? { head, from: at + 4, to: at + 4 + Number(length[1]) } : null;
  if (/\r\ntransfer-encoding: *chunked/i.test(head)) {
    const last = bytes.indexOf("\r\n0\r\n\r\n", at + 2);
    return last < 0 ? null : { head, from: at + 4, to: last + 7 };
  }
  return { head, from: at + 4, to: at + 4 };
}

/** A warehouse that acknowledges at once: counts orders by their number, the second time too. */
export async function receiver() {
  const seen = new Map();
  const waiting = [];
  const server = net.createServer((socket) => {
    socket.setNoDelay(true);
    let have = null;
    socket.on("error", () => {});
    socket.on("data", (data) => {
      have = have ? Buffer.concat([have, data]) : data;
      for (let message; have && (message = ends(have));) {
        const at = have.indexOf(NUMBER, message.from);
        if (at >= 0 && at < message.to) {
          const from = at + NUMBER.length;
          const number = have.latin1Slice(from, have.indexOf(34, from));
          seen.set(number, (seen.get(number) ?? 0) + 1);
        }
        have = message.to < have.length ? have.subarray(message.to) : null;
        socket.write("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
      }
      for (const one of waiting) if (seen.size >= one.count) one.done(true);
    });
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  return {
    port: server.address().port, seen,
    /** Whether so many different orders came, waiting until then but no longer than this. */
    has: (count, ms) => new Promise((done) => {
      if (seen.size >= count) return done(true);
      const one = { count, done: (whether) => { clearTimeout(timer); waiting.splice(waiting.indexOf(one), 1); done(whether); } };
      const timer = setTimeout(() => one.done(false), ms);
      waiting.push(one);
    }),
    /** Waits until nothing new has come for so long; how many there are. */
    quiet: async (ms, most) => {
      const limit = Date.now() + most;
      for (let before = -1; before !== seen.size && Date.now() < limit;) {
        before = seen.size;
        await new Promise((done) => setTimeout(done, ms));
      }
      return seen.size;
    },
    close: () => { server.close(); },
  };
}

/** Sends these requests over so many connections, the next as soon as one is answered. `acknowledged` holds the indexes that
 * got a 2xx; a connection that breaks ends quietly, as everything does when the server is killed. */
export function blast(port, requests, connections) {
  const acknowledged = [];
  let next = 0;
  let refused = 0;
  const one = () => new Promise((done) => {
    const socket = net.connect(port, "127.0.0.1");
    socket.setNoDelay(true);
    let have = null;
    let index = -1;
    const send = () => {
      index = next++;
      if (index < requests.length) socket.write(requests[index]);
      else { socket.destroy(); done(); }
    };
    socket.on("connect", send);
    socket.on("error", done);
    socket.on("close", done);
    socket.on("data", (data) => {
      have = have ? Buffer.concat([have, data]) : data;
      const message = ends(have);
      if (!message) return;
      have = null;
      if (message.head[9] === "2") acknowledged.push(index);
      else refused += 1;
      send();
    });
  });
  const done = Promise.all(Array.from({ length: connections }, one));
  return { done, acknowledged, refused: () => refused };
}
