// Hands in a job, prints its output as it comes, and ends with its result. Ctrl-C cancels the job.
//
//   node index.mjs [STEPS [PAUSE_MS]]
//
// SERVER and TOKEN come from the environment.

import { randomUUID } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { Centrifuge } from "centrifuge";
import WebSocket from "ws";

const server = process.env.SERVER ?? "http://127.0.0.1:3000";
const [steps = 40, pauseMs = 100] = process.argv.slice(2).map(Number);

const client = new Centrifuge(server.replace(/^http/, "ws") + "/connection/websocket", {
  websocket: WebSocket, // Node has one of its own from version 22 on
  token: process.env.TOKEN ?? "",
});
client.on("connecting", ({ code, reason }) => console.error(`[connecting: ${code} ${reason}]`));
client.on("disconnected", ({ code, reason }) => {
  if (code === 0) return; // we did it
  console.error(`[the server will not have us: ${code} ${reason}]`);
  process.exit(1);
});
client.connect();

// With a key, handing in again what got no answer is safe: it is the same job.
async function submit(job) {
  for (;;) {
    try {
      return (await client.rpc("job.submit", job)).data;
    } catch (error) {
      // Codes below 100 are the SDK's own: the connection was lost, or the answer took too long.
      if (!error.temporary && error.code >= 100) throw error;
      console.error(`[not handed in yet: ${error.code} ${error.message}]`);
      await pause(500);
    }
  }
}

const accepted = await submit({
  queue: "chat",
  kind: "demo",
  payload: { steps, pause_ms: pauseMs },
  options: { key: randomUUID() },
}).catch((error) => {
  console.error(`[refused: ${error.code} ${error.message}]`);
  process.exit(1);
});
const job = { queue: "chat", id: accepted.id };
console.error(`[job ${accepted.id}, stored at ${accepted.epoch}:${accepted.offset}]`);

process.on("SIGINT", () => client.rpc("job.cancel", job).catch((error) => console.error(`[not cancelled: ${error.message}]`)));

let chunks = [];

function end(type, detail) {
  process.stdout.write("\n");
  console.error(`[${type}]`, detail);
  client.disconnect();
  process.exitCode = type === "completed" ? 0 : 1;
}

// From where the log was when the job was stored: nothing can be missed.
const subscription = client.newSubscription(accepted.channel, {
  since: { epoch: accepted.epoch, offset: accepted.offset },
});
subscription.on("publication", ({ data: event }) => {
  switch (event.type) {
    case "started":
      if (chunks.length > 0) console.error(`\n[attempt ${event.attempt}: what came so far is void]`);
      chunks = [];
      break;
    case "chunk":
      chunks.push(event.data);
      process.stdout.write(event.data.text + " ");
      break;
    case "completed":
      end(event.type, { ...event.data, chunks: chunks.length });
      break;
    case "failed":
      end(event.type, event.error);
      break;
    case "cancelled":
      end(event.type, { chunks: chunks.length });
      break;
  }
});
subscription.on("subscribed", async ({ recovered }) => {
  console.error(recovered ? "[following]" : "[following, but some of it is lost]");
  if (recovered) return;
  // The log does not reach back that far. What became of the job is still known.
  const { data } = await client.rpc("job.get", job);
  if (["completed", "failed", "cancelled"].includes(data.state)) end(data.state, data.result ?? data.error);
});
subscription.on("unsubscribed", ({ code, reason }) => {
  if (code !== 0 && code !== 2) end("can't follow", { code, reason });
});
subscription.subscribe();
