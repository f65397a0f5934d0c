/* All queues at once: how much comes in and is done, how long it takes, what waits, what fails. */

import { get, path } from "./api.js";
import { chart, spark } from "./chart.js";
import { h, keyed, only } from "./dom.js";
import { compact, count, duration, number, rate } from "./format.js";
import { depths, live, newest, onCounts, rates } from "./live.js";
import { badge, cell, empty, head, section, table, tabs, tile } from "./parts.js";
import { poll } from "./poll.js";
import { href } from "./router.js";
import { ago } from "./time.js";
import { askQueues, history, latencies, RANGES, rangeOf } from "./history.js";

const EVERY = 5_000;

/* The charts of one queue, or of all; `signal` ends them. */
export const charts = (range, queue, signal) => {
  const throughput = chart({ title: "Throughput", note: "jobs a second", format: rate,
    series: [{ name: "In", tone: "enqueued" }, { name: "Completed", tone: "completed", area: true }] });
  const failures = chart({ title: "Failures", note: "a second", format: rate, series: [{ name: "Failed", tone: "failed", area: true }, { name: "Tried again", tone: "retried" }] });
  const depth = chart({ title: "Depth", note: "jobs", format: (n) => compact(n, 10_000),
    series: [{ name: "Waiting", tone: "waiting", area: true }, { name: "Active", tone: "active" }, { name: "Delayed", tone: "delayed" }] });
  const latency = chart({ title: "Latency", note: range.name === "live" ? "95 of 100 were faster" : "95 of 100 were faster, last minutes", format: duration, series: [{ name: "Wait", tone: "waiting" }, { name: "Run", tone: "active" }] });
  const element = h("div", { class: "charts" }, throughput.element, depth.element, latency.element, failures.element);

  const drawLatency = (between) => {
    const { wait, run } = latencies(queue, between.from);
    latency.draw([wait, run], between, wait.length ? "" : "No job has completed yet.");
  };
  const queues = () => (queue === undefined ? live.queues.map((one) => one.queue) : [queue]);
  if (range.name === "live") {
    // What was before the page was opened is known by the minute.
    let before = [];
    const whole = (name, kind, points) => {
      const first = points[0]?.at ?? Infinity;
      const early = before.map((point) => ({ at: point.at + 30_000, value: point.gap ? null : kind === "rate" ? point[name] * 1000 / point.span : point[name] }));
      return [...early.filter(({ at }) => at < first - 5_000), ...points];
    };
    const draw = ({ at }) => {
      const between = { from: at - 300_000, to: at };
      const [rateOf, depthOf] = [(name) => whole(name, "rate", rates(name, queue)), (name) => whole(name, "depth", depths(name, queue))];
      throughput.draw([rateOf("enqueued"), rateOf("completed")], between);
      failures.draw([rateOf("failed"), rateOf("retried")], between);
      depth.draw([depthOf("waiting"), depthOf("active"), depthOf("delayed")], between);
      drawLatency(between);
    };
    onCounts(draw, signal);
    history(queues(), RANGES.recent, signal).then(({ points, between }) => {
      before = points.filter(({ at }) => at + 30_000 > between.from);
      if (live.at) draw(live);
    }, () => { /* Then it begins now. */ });
    return { element };
  }
  poll(h("div"), signal, range.step, () => history(queues(), range, signal), ({ points, between, step }) => {
    const per = (name) => points.map((point) => ({ at: point.at, value: point.gap ? null : point[name] * 1000 / (point.span || step) }));
    const of = (name) => points.map((point) => ({ at: point.at, value: point[name] ?? null }));
    const why = points.length ? "" : "Nothing is kept of this time yet.";
    throughput.draw([per("enqueued"), per("completed")], between, why);
    failures.draw([per("failed"), per("retried")], between, why);
    depth.draw([of("waiting"), of("active"), of("delayed")], between, why);
    drawLatency({ from: between.to - 300_000, to: between.to });
  });
  return { element };
};

/* The choice of how far back the charts go, as addresses of this page. */
export const ranges = (parts, range) => tabs("How far back", Object.values(RANGES).filter(({ text }) => text).map(({ name, text }) => (
  { name: text, to: href(parts, { range: name === "live" ? "" : name }), on: range.name === name })));

const columns = [{ name: "Queue" }, { name: "Completed a second" }, { name: "Waiting", right: true }, { name: "Delayed", right: true }, { name: "Active", right: true }, { name: "Failed", right: true },
  { name: "Oldest waits", right: true }, { name: "Wait p95", right: true }, { name: "Run p95", right: true }];

export const queueRow = ({ queue, jobs, settings, oldest_waiting_ms: oldest, latency }, line) => h("tr", {},
  cell("Queue", [h("a", { href: href(["queues", queue]), data: { part: "open" } }, queue), settings.paused && [" ", badge("paused")]], { head: true }),
  cell("Completed a second", line ?? "–"),
  ["waiting", "delayed", "active", "failed"].map((state) => cell(state.charAt(0).toUpperCase() + state.slice(1),
    h("a", { class: state === "failed" && jobs.failed ? "tone-failed" : "plain", href: href(["queues", queue, "jobs"], { state }) }, compact(jobs[state])), { right: true })),
  cell("Oldest waits", oldest === null ? "–" : duration(oldest), { right: true }),
  cell("Wait p95", latency ? duration(latency.wait_ms.p95) : "–", { right: true }),
  cell("Run p95", latency ? duration(latency.run_ms.p95) : "–", { right: true }));

/* A table of queues that is kept up with the stream between two answers. */
export const queueTable = (signal) => {
  const { element, body } = table("Queues, with how many jobs are in which state", columns, { rows: true });
  let known = [];
  const draw = () => keyed(body, known.map((queue) => ({ ...queue, ...(live.queues.find((one) => one.queue === queue.queue) && { jobs: live.queues.find((one) => one.queue === queue.queue).jobs }) })),
    ({ queue }) => queue, (queue) => {
      const points = rates("completed", queue.queue);
      const now = newest(points);
      return queueRow(queue, h("span", { class: "trend" }, spark(points, "completed"), h("span", { class: "value" }, rate(Number.isFinite(now) ? now : queue.rates?.completed ?? NaN))));
    }, (queue) => JSON.stringify([queue, live.at]));
  onCounts(draw, signal);
  return { element, set: (queues) => { known = queues; draw(); } };
};

const worst = async (queues, signal) => {
  const all = await Promise.all(queues.filter(({ jobs }) => jobs.failed > 0).slice(0, 8).map(async ({ queue }) => {
    const { groups } = await get(path`queues/${queue}/errors`, { signal });
    return groups.map((group) => ({ ...group, queue }));
  }));
  return all.flat().sort((a, b) => b.last_at - a.last_at).slice(0, 5);
};

export const overview = ({ root, query, signal }) => {
  const range = rangeOf(query.range);
  const tiles = h("div", { class: "tiles" });
  const body = h("div", { class: "stack" });
  only(root, head("Overview", { actions: ranges([], range) }), tiles, body);

  let inner = null;
  let slow = { workers: [], errors: [], queues: [] };
  const drawTiles = () => {
    if (!inner) return;
    const sum = (state) => live.queues.reduce((all, { jobs }) => all + jobs[state], 0);
    const oldest = Math.max(...slow.queues.map(({ oldest_waiting_ms: ms }) => ms ?? -1));
    const alive = slow.workers.filter((worker) => worker.alive);
    const places = alive.reduce((all, { concurrency }) => all + concurrency, 0);
    const dead = slow.workers.length - alive.length;
    only(tiles,
      tile("Throughput", rate(newest(rates("completed"))), { below: "a second" }),
      tile("Waiting", compact(sum("waiting")), { below: oldest >= 0 ? `oldest for ${duration(oldest)}` : "nothing waits", to: "#/jobs?state=waiting" }),
      tile("Active", compact(sum("active")), { below: places ? `of ${count(places, "place")}` : "", to: "#/jobs?state=active" }),
      tile("Delayed", compact(sum("delayed")), { below: "until their time", to: "#/jobs?state=delayed" }),
      tile("Failed", compact(sum("failed")), { below: `${rate(newest(rates("failed")))} a second now`, tone: sum("failed") ? "failed" : "", to: "#/errors" }),
      tile("Workers", number(alive.length), { below: dead ? `${number(dead)} not heard of` : alive.length ? "all alive" : "nobody runs jobs", tone: dead || !alive.length ? "failed" : "", to: "#/workers" }));
  };
  onCounts(drawTiles, signal);

  poll(body, signal, EVERY, async () => {
    const { queues } = await askQueues(signal);
    const failed = queues.reduce((all, { jobs }) => all + jobs.failed, 0);
    // They are read out of many jobs: not more often than something fails, and than one can read.
    const wanted = slow.at === undefined || Date.now() - slow.at > (failed === slow.failed ? 60_000 : 10_000);
    const [{ workers }, errors] = await Promise.all([get("workers", { signal }), wanted ? worst(queues, signal) : slow.errors]);
    return { queues, workers, errors, failed, at: wanted ? Date.now() : slow.at };
  }, (answer) => {
    slow = answer;
    if (!inner) {
      const failing = h("div");
      const list = queueTable(signal);
      inner = { list, failing, drawn: null };
      only(body, charts(range, undefined, signal).element, section("Queues", list.element), section("Newest failures", failing));
    }
    inner.list.set(answer.queues);
    drawTiles();
    if (answer.queues.length === 0) {
      only(body, empty("There is no queue yet. A queue is there once a job is handed in, or a worker has asked for one.", h("pre", { class: "block" }, "queue enqueue chat '{\"msg\":\"hi\"}' --wait")));
      inner = null;
      return;
    }
    keyed(inner.failing, answer.errors.length ? answer.errors : [null], (group) => (group ? `${group.queue} ${group.code} ${group.message}` : "none"), (group) => (group
      ? h("p", { class: "failure" }, badge(group.code, "failed"), h("a", { href: href(["errors"], { queue: group.queue }) }, group.message),
        h("span", { class: "soft" }, `${count(group.count, "job")} in ${group.queue}, last `, ago(group.last_at)))
      : empty("Nothing has failed.")));
  });
};
