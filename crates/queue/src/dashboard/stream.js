/* Streams over `fetch`, since a browser's own event source can't carry a token. They come back by themselves, and slow down. */

import { Problem, request } from "./api.js";

/* Nothing at all for this long means that the connection is dead. The manager says something each second, or pings. */
const SILENCE = 45_000;
const FIRST = 500;
const LAST = 15_000;

/* Grows to 15 seconds, with jitter: not all pages of one manager should come back in step. */
const backoff = (tries) => Math.min(LAST, FIRST * 2 ** Math.min(tries, 6)) * (0.75 + Math.random() / 4);

/* The lines of a response, as they come. */
export async function* lines(response, signal) {
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  const quiet = { timer: 0 };
  const watch = () => {
    clearTimeout(quiet.timer);
    quiet.timer = setTimeout(() => reader.cancel().catch(() => {}), SILENCE);
  };
  const stop = () => reader.cancel().catch(() => {});
  signal?.addEventListener("abort", stop);
  let rest = "";
  try {
    for (;;) {
      watch();
      const { done, value } = await reader.read();
      if (done) break;
      rest += decoder.decode(value, { stream: true });
      const parts = rest.split(/\r?\n/);
      rest = parts.pop();
      yield* parts;
    }
    if (rest !== "") yield rest;
  } catch (error) {
    if (signal?.aborted || error.name === "AbortError") return;
    throw new Problem(0, "away", "The connection was lost", "");
  } finally {
    clearTimeout(quiet.timer);
    signal?.removeEventListener("abort", stop);
    stop();
  }
}

/* The events of a stream: `{ type, id, data }`. */
async function* events(response, signal) {
  let event = { type: "message", data: [] };
  for await (const line of lines(response, signal)) {
    if (line === "") {
      if (event.data.length) yield { type: event.type, id: event.id, data: event.data.join("\n") };
      event = { type: "message", data: [] };
      continue;
    }
    const colon = line.indexOf(":");
    if (colon === 0) continue;
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "event") event.type = value;
    else if (name === "data") event.data.push(value);
    else if (name === "id") event.id = value;
  }
}

/* Resolves after a while, or when the page is seen again or the network is back, or on `wake()`. */
const pause = (ms, signal, waker) => new Promise((resolve) => {
  const done = () => {
    clearTimeout(timer);
    removeEventListener("online", done);
    signal.removeEventListener("abort", done);
    resolve();
  };
  const timer = setTimeout(done, ms);
  addEventListener("online", done);
  signal.addEventListener("abort", done);
  waker.wake = done;
});

/*
 * Follows a stream until `signal`: `heard(event)` gets each event, and returns true where the stream is over for good;
 * `state(name, detail)` is told `connecting`, `open`, and `waiting` with the problem and when it is tried again.
 * What it returns has a `wake` that tries at once.
 */
export const follow = (path, signal, heard, state) => {
  const waker = { wake: () => {} };
  const run = async () => {
    let tries = 0;
    while (!signal.aborted) {
      let failed = null;
      state("connecting", {});
      try {
        const response = await request("GET", path, { signal, accept: "text/event-stream" });
        state("open", {});
        for await (const event of events(response, signal)) {
          tries = 0;
          if (await heard(event)) return;
        }
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof Problem)) throw error;
        failed = error;
        // A token is asked for elsewhere, and what does not exist will not exist by itself.
        if (error.status === 401 || error.status === 404) {
          state("ended", { problem: error });
          return;
        }
      }
      if (signal.aborted) return;
      const rest = backoff(tries);
      tries += 1;
      state("waiting", { problem: failed, until: Date.now() + rest });
      await pause(rest, signal, waker);
    }
  };
  run();
  return { wake: () => waker.wake() };
};
