/* One queue: its charts, what it may have, which kinds of jobs it runs. */

import { setPaused } from "./actions.js";
import { get, path } from "./api.js";
import { h, keyed, only, say } from "./dom.js";
import { enqueue } from "./enqueue.js";
import { bytes, compact, count, duration, limitRate, number, percent, rate } from "./format.js";
import { askQueues, history, RANGES, rangeOf } from "./history.js";
import { countsOf, newest, onCounts, rates } from "./live.js";
import { charts, ranges } from "./overview.js";
import { badge, button, cell, empty, facts, head, section, STATES, table, tabs, tile, title } from "./parts.js";
import { poll } from "./poll.js";
import { href } from "./router.js";

/* The pages that belong to a queue. */
export const queueTabs = (queue, on) => tabs(`Pages of ${queue}`, [
  { name: "Queue", to: href(["queues", queue]), on: on === "queue" }, { name: "Jobs", to: href(["queues", queue, "jobs"]), on: on === "jobs" },
  { name: "Failed", to: href(["errors"], { queue }), on: on === "errors" }, { name: "Tenants", to: href(["tenants"], { queue }), on: on === "tenants" },
  { name: "Schedules", to: href(["schedules"], { queue }), on: on === "schedules" },
]);

/* Limits, as facts. */
export const limits = ({ max_waiting: waiting, max_bytes: size, max_active: active, rate: speed }) => [
  ["At most waiting", waiting && number(waiting)], ["At most in bytes", size && bytes(size)], ["At most active", active && number(active)], ["At most begun", speed && limitRate(speed)],
];

const kindsTable = (queue) => {
  const { element, body } = table(`Kinds of jobs of ${queue} in the last day`, [{ name: "Kind" }, { name: "Completed", right: true }, { name: "Failed", right: true }, { name: "Share that failed", right: true }]);
  return { element, draw: (kinds) => keyed(body, kinds, ({ kind }) => kind, ({ kind, completed, failed }) => h("tr", {},
    cell("Kind", h("a", { href: href(["queues", queue, "jobs"], { state: "completed", kind }) }, kind), { head: true }), cell("Completed", compact(completed), { right: true }),
    cell("Failed", failed ? h("a", { class: "tone-failed", href: href(["queues", queue, "jobs"], { state: "failed", kind }) }, compact(failed)) : "0", { right: true }),
    cell("Share that failed", percent(failed, completed + failed), { right: true }))) };
};

export const queue = ({ root, params, query, signal }) => {
  const name = params.queue;
  const range = rangeOf(query.range);
  const mark = h("span");
  const pause = h("span");
  const tiles = h("div", { class: "tiles" });
  const body = h("div", { class: "stack" });
  only(root, head(name, { back: h("a", { href: "#/queues" }, "Queues"), beside: mark,
    actions: [pause, button("New job", () => enqueue(name))] }), queueTabs(name, "queue"), ranges(["queues", name], range), tiles, body);

  let known = null;
  let settings = null;
  const draw = () => {
    const counts = countsOf(name) ?? known;
    if (!counts || !known) return;
    const paused = counts.paused ?? known.settings.paused;
    if (pause.dataset.paused !== String(paused)) {
      pause.dataset.paused = paused;
      only(mark, paused && badge("paused"));
      only(pause, button(paused ? "Resume" : "Pause", () => setPaused(name, !paused, again), { picture: paused ? "play" : "pause", name: "pause" }));
    }
    const { jobs } = counts;
    only(tiles, tile("Throughput", rate(newest(rates("completed", name))), { below: "a second" }),
      STATES.map((state) => tile(title(state), compact(jobs[state]), { tone: state === "failed" && jobs.failed ? "failed" : "", to: href(["queues", name, "jobs"], { state }),
        below: state === "waiting" && known.oldest_waiting_ms !== null ? `oldest for ${duration(known.oldest_waiting_ms)}` : " " })));
  };
  const again = poll(body, signal, 5_000, async () => {
    askQueues(signal).catch(() => {});
    return get(path`queues/${name}`, { signal });
  }, (answer) => {
    known = answer;
    if (!settings) {
      settings = h("div");
      const kinds = kindsTable(name);
      const place = h("div");
      only(body, charts(range, name, signal).element, h("div", { class: "two" }, section("Kinds, last day", place), section("Settings and totals", settings)));
      poll(place, signal, 60_000, () => history([name], RANGES.day, signal), ({ kinds: all }) => {
        if (all.length === 0) only(place, empty("Nothing is known of the last day yet: it is written down each minute."));
        else if (!kinds.element.isConnected) only(place, kinds.element);
        kinds.draw(all);
      });
    }
    const { totals, latency, settings: set } = answer;
    const own = Object.keys(set.tenants ?? {}).length;
    only(settings, facts([...limits(set), ["Limits of tenants", own ? h("a", { href: href(["tenants"], { queue: name }) }, count(own, "tenant")) : null],
      ["Wait p50 / p95 / p99", latency && ["p50", "p95", "p99"].map((part) => duration(latency.wait_ms[part])).join(" / ")],
      ["Run p50 / p95 / p99", latency && ["p50", "p95", "p99"].map((part) => duration(latency.run_ms[part])).join(" / ")],
      ...Object.entries(totals).filter(([, n]) => n > 0).map(([what, n]) => [title(what).replaceAll("_", " "), number(n)])]));
    draw();
  });
  onCounts(draw, signal);
  say(mark, "");
};
