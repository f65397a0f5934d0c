/* Who runs the jobs, whether they are alive, and what each runs now. */

import { get } from "./api.js";
import { h, keyed, only } from "./dom.js";
import { count, number } from "./format.js";
import { badge, copyable, empty, facts, head, meter, shortId } from "./parts.js";
import { poll } from "./poll.js";
import { href } from "./router.js";
import { ago, since } from "./time.js";

const EVERY = 2_000;
/* How many running jobs are listed before they fold. */
const OPEN = 6;

const running = (queue, jobs) => h("ul", { class: "running" }, jobs.map(({ id, kind, tenant, attempt, started_at: at }) => h("li", {},
  h("a", { class: "mono", href: href(["queues", queue, "jobs", id]), title: id, data: { part: id } }, shortId(id)), h("span", {}, kind), h("span", { class: "soft" }, tenant), h("span", { class: "soft" }, attempt > 1 ? `attempt ${attempt}` : ""), since(at))));

const card = (worker, old) => {
  const { queue, name, host, pid, version, concurrency, active, started_at: at, kinds, beat_at: beat, alive, jobs } = worker;
  const more = jobs.slice(OPEN);
  const rest = more.length > 0 && h("details", { open: old?.querySelector("details.rest")?.open ?? false, class: "rest" }, h("summary", {}, `${number(more.length)} more`), running(queue, more));
  return h("li", { class: `card worker${alive ? "" : " dead"}`, data: { alive } },
    h("p", { class: "top" }, badge(alive ? (active > 0 ? "works" : "idle") : "not heard of", alive ? (active > 0 ? "active" : "quiet") : "failed"), h("h2", {}, copyable(name, "the worker's name")), h("span", { class: "soft" }, "in ", h("a", { href: href(["queues", queue]), data: { part: "queue" } }, queue))),
    !alive && h("p", { class: "alert" }, "It has said nothing since ", ago(beat), ". Its jobs go back to the queue once their leases are over, and another worker takes them."),
    alive && h("p", { class: "numbers" }, meter(`Places of ${name} in use`, active, concurrency, "active"), h("b", {}, `${number(active)} of ${count(concurrency, "place")}`)),
    facts([["Host", `${host}, process ${pid}`], ["Started", ago(at)], ["Last heard", ago(beat)], ["Version", version], ["Kinds", kinds.length ? kinds.join(", ") : "any"]]),
    jobs.length > 0 ? [h("h3", {}, alive ? "Runs now" : "Holds still"), running(queue, jobs.slice(0, OPEN)), rest] : h("p", { class: "soft" }, alive ? "Runs nothing now." : "It holds nothing any more."));
};

export const workers = ({ root, signal }) => {
  const place = h("div");
  only(root, head("Workers"), place);
  const list = h("ul", { class: "workers", data: { rows: "true" } });
  const lead = h("p", { class: "soft lead", role: "status" });
  poll(place, signal, EVERY, () => get("workers", { signal }), ({ workers: all }) => {
    if (all.length === 0) {
      list.remove();
      only(place, empty("No worker is known. Jobs wait until one starts.", h("pre", { class: "block" }, "worker")));
      return;
    }
    const alive = all.filter((worker) => worker.alive);
    const places = alive.reduce((sum, { concurrency }) => sum + concurrency, 0);
    const busy = alive.reduce((sum, { active }) => sum + active, 0);
    if (!list.isConnected) only(place, lead, list);
    const text = `${count(alive.length, "worker")} alive, ${number(busy)} of ${count(places, "place")} in use${alive.length < all.length ? `; ${number(all.length - alive.length)} not heard of` : ""}.`;
    if (lead.textContent !== text) lead.textContent = text;
    // Those that need attention first.
    const sorted = [...all].sort((a, b) => a.alive - b.alive || a.queue.localeCompare(b.queue) || a.started_at - b.started_at || a.name.localeCompare(b.name));
    // A beat each second is no reason to make it anew; the jobs are.
    keyed(list, sorted, ({ queue, name }) => `${queue} ${name}`, card, ({ beat_at: beat, alive: lives, ...worker }) => JSON.stringify([worker, lives, lives ? Math.round(beat / 10_000) : beat]));
  });
};
