/* The one stream of counts that all pages share, and what it said in the last five minutes. */

import { Problem } from "./api.js";
import { follow } from "./stream.js";
import { setNow } from "./time.js";

const KEPT_MS = 5 * 60_000;

const listeners = new Set();
const stateListeners = new Set();
let stopper = null;
let stream = null;

/* What is known: the samples of the last minutes, oldest first; the newest; how the stream does. */
export const live = { samples: [], queues: [], at: 0, state: "connecting", problem: null, until: 0 };

/* `listener(live)` is called with each sample, until `signal`. */
export const onCounts = (listener, signal) => {
  listeners.add(listener);
  signal?.addEventListener("abort", () => listeners.delete(listener));
  if (live.samples.length) listener(live);
};

/* `listener(live, before)` is called with each change of how the stream does. */
export const onState = (listener) => stateListeners.add(listener);

const changed = (state, { problem = null, until = 0 }) => {
  const before = live.state;
  // While it is tried again it is still away.
  if (state === "connecting" && before === "waiting") return;
  Object.assign(live, { state, problem, until });
  for (const listener of stateListeners) listener(live, before);
};

const heard = ({ type, data }) => {
  // The manager is there, and has no Redis. It goes on looking for it.
  if (type === "away") changed("waiting", { problem: new Problem(503, "unavailable", "Redis is away", JSON.parse(data).detail), until: Date.now() + 1_000 });
  if (type !== "stats") return false;
  if (live.state !== "open") changed("open", {});
  const { now, queues } = JSON.parse(data);
  setNow(now);
  const sample = { at: now, queues: new Map(queues.map((queue) => [queue.queue, queue])) };
  live.samples.push(sample);
  while (live.samples[0].at < now - KEPT_MS) live.samples.shift();
  Object.assign(live, { queues, at: now });
  for (const listener of listeners) listener(live);
  return false;
};

export const start = () => {
  stopper?.abort();
  stopper = new AbortController();
  live.state = "connecting";
  stream = follow("stream", stopper.signal, heard, changed);
};

export const wake = () => stream?.wake();

/* The newest counts of one queue, or null. */
export const countsOf = (queue) => live.queues.find((one) => one.queue === queue) ?? null;

/* How far apart two samples are between which a rate is drawn: shorter, and chance draws saw teeth. */
const SPAN_MS = 3_000;

const total = (sample, name, queue) => {
  let sum = 0;
  for (const [key, { totals }] of sample.queues) if (queue === undefined || key === queue) sum += totals[name] ?? 0;
  return sum;
};

const depth = (sample, state, queue) => {
  let sum = 0;
  for (const [key, { jobs }] of sample.queues) if (queue === undefined || key === queue) sum += jobs[state] ?? 0;
  return sum;
};

/* How often a second something happened, as points of the last minutes. What counts down began anew, and is left out. */
export const rates = (name, queue) => {
  const points = [];
  let from = 0;
  for (let n = 1; n < live.samples.length; n += 1) {
    const sample = live.samples[n];
    while (from < n - 1 && sample.at - live.samples[from].at > SPAN_MS) from += 1;
    const seconds = (sample.at - live.samples[from].at) / 1000;
    const more = total(sample, name, queue) - total(live.samples[from], name, queue);
    // A gap in the samples is a gap in the line.
    if (seconds > 0 && more >= 0) points.push({ at: sample.at, value: seconds > 15 ? null : more / seconds });
  }
  return points;
};

/* How many jobs were in a state, as points of the last minutes. */
export const depths = (state, queue) => live.samples.map((sample) => ({ at: sample.at, value: depth(sample, state, queue) }));

/* The newest value of points, or NaN. */
export const newest = (points) => points.at(-1)?.value ?? NaN;
