/* What happened in the last hour and day, and how long jobs took since the page was opened. */

import { get, path, query } from "./api.js";
import { now } from "./time.js";

export const RANGES = {
  recent: { name: "recent", since: 300_000, step: 60_000 },
  live: { name: "live", text: "5 minutes" },
  hour: { name: "hour", text: "Hour", since: 3_600_000, step: 60_000 },
  day: { name: "day", text: "Day", since: 86_400_000, step: 900_000 },
};

export const rangeOf = (name) => (RANGES[name]?.text ? RANGES[name] : RANGES.live);

const COUNTED = ["enqueued", "completed", "failed", "retried", "cancelled", "lost", "waiting", "active", "delayed"];

/* A step of which nothing is known is left out: there the lines break. */
const gaps = (points, step) => points.flatMap((point, n) => {
  const before = points[n - 1];
  return before && point.at - before.at > 1.5 * step ? [{ at: before.at + step, gap: true }, point] : [point];
});

/* The sum over queues, point by point. */
export const history = async (queues, { since, step }, signal) => {
  const answers = await Promise.all(queues.map((queue) => get(path`queues/${queue}/history` + query({ since_ms: since, step_ms: step }), { signal })));
  const sums = new Map();
  const kinds = new Map();
  for (const answer of answers) {
    for (const point of answer.points) {
      const sum = sums.get(point.at) ?? { at: point.at };
      sum.span = Math.max(sum.span ?? 0, point.span_ms ?? step);
      for (const name of COUNTED) sum[name] = (sum[name] ?? 0) + (point[name] ?? 0);
      sums.set(point.at, sum);
    }
    for (const { kind, completed, failed } of answer.kinds ?? []) {
      const sum = kinds.get(kind) ?? { kind, completed: 0, failed: 0 };
      kinds.set(kind, { kind, completed: sum.completed + completed, failed: sum.failed + failed });
    }
  }
  const to = now();
  // The last step has only begun: what came of it in a few seconds says nothing of a minute.
  const points = [...sums.values()].sort((a, b) => a.at - b.at).filter(({ span }, n, all) => n < all.length - 1 || span > 15_000);
  return {
    points: gaps(points, step),
    kinds: [...kinds.values()].sort((a, b) => b.completed + b.failed - a.completed - a.failed),
    step: answers[0]?.step_ms ?? step,
    between: { from: to - since, to },
  };
};

/* Latency is asked for with the queues; what was said since the page was opened makes its line. */
const MOST = 2_000;
const seen = [];

/* Asks for the queues, and remembers how long their jobs took. */
export const askQueues = async (signal) => {
  const answer = await get("queues", { signal });
  seen.push({ at: now(), queues: new Map(answer.queues.filter(({ latency }) => latency).map(({ queue, latency }) => [queue, latency])) });
  if (seen.length > MOST) seen.shift();
  return answer;
};

/* Of several queues the slowest counts: an average would hide it. */
export const latencies = (queue, from) => {
  const line = (name) => seen.filter(({ at }) => at >= from).map(({ at, queues }) => {
    const values = [...queues].filter(([key]) => queue === undefined || key === queue).map(([, latency]) => latency[name].p95);
    return { at, value: values.length ? Math.max(...values) : null };
  }).filter(({ value }) => value !== null);
  return { wait: line("wait_ms"), run: line("run_ms") };
};
