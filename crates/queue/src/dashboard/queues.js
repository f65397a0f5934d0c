/* The list of queues, and which are paused. */

import { setPaused } from "./actions.js";
import { h, keyed, only } from "./dom.js";
import { compact, count, duration, rate } from "./format.js";
import { askQueues } from "./history.js";
import { live, newest, onCounts, rates } from "./live.js";
import { badge, button, cell, empty, head, STATES, table, title } from "./parts.js";
import { poll } from "./poll.js";
import { href } from "./router.js";

const columns = [{ name: "Queue" }, ...STATES.map((state) => ({ name: title(state), right: true })), { name: "Oldest waits", right: true },
  { name: "Completed a second", right: true }, { name: "Actions", quiet: true }];

export const queues = ({ root, signal }) => {
  const place = h("div");
  only(root, head("Queues"), place);
  const { element, body } = table("Queues, with how many jobs are in which state", columns, { rows: true });
  let known = [];

  const row = ({ queue, jobs, settings, oldest_waiting_ms: oldest, rates: slow }) => {
    const now = newest(rates("completed", queue));
    return h("tr", {},
      cell("Queue", [h("a", { href: href(["queues", queue]), data: { part: "open" } }, queue), settings.paused && [" ", badge("paused")]], { head: true }),
      STATES.map((state) => cell(title(state), h("a", { class: state === "failed" && jobs.failed ? "tone-failed" : "plain", href: href(["queues", queue, "jobs"], { state }) }, compact(jobs[state])), { right: true })),
      cell("Oldest waits", oldest === null ? "–" : duration(oldest), { right: true }),
      cell("Completed a second", rate(Number.isFinite(now) ? now : slow?.completed ?? NaN), { right: true }),
      cell("Actions", button(settings.paused ? "Resume" : "Pause", () => setPaused(queue, !settings.paused, again),
        { picture: settings.paused ? "play" : "pause", label: `${settings.paused ? "Resume" : "Pause"} ${queue}`, part: "pause" }), { right: true }));
  };
  const draw = () => keyed(body, known.map((queue) => {
    const fresh = live.queues.find((one) => one.queue === queue.queue);
    return fresh ? { ...queue, jobs: fresh.jobs, settings: { ...queue.settings, paused: fresh.paused } } : queue;
  }), ({ queue }) => queue, row, ({ queue, jobs, settings, oldest_waiting_ms: oldest }) => JSON.stringify([jobs, settings.paused, oldest, rate(newest(rates("completed", queue)))]));

  const again = poll(place, signal, 5_000, () => askQueues(signal), (answer) => {
    known = answer.queues;
    if (known.length === 0) {
      only(place, empty("There is no queue yet. A queue is there once a job is handed in, or a worker has asked for one.", h("pre", { class: "block" }, "queue enqueue chat '{\"msg\":\"hi\"}' --wait")));
      return;
    }
    if (!element.isConnected) only(place, h("p", { class: "soft lead" }, count(known.length, "queue")), h("div", { class: "card" }, element));
    draw();
  });
  onCounts(draw, signal);
};
