/* The jobs of a queue in one state, through filters; what is chosen, or all that match, can be acted upon. */

import { ALLOWED, VERBS } from "./actions.js";
import { get, path, query as search } from "./api.js";
import { bulk, each } from "./bulk.js";
import { h, keyed, only, say } from "./dom.js";
import { enqueue } from "./enqueue.js";
import { compact, count, duration, number } from "./format.js";
import { countsOf, onCounts } from "./live.js";
import { badge, button, cell, empty, head, loading, shortId, STATES, table, tabs, title, trouble } from "./parts.js";
import { filters } from "./filters.js";
import { poll } from "./poll.js";
import { queueTabs } from "./queue.js";
import { go, href } from "./router.js";
import { ago, now, since } from "./time.js";

const PAGE = 50;
/* How many short answers in a row are followed up before it is asked whether to go on. */
const ROUNDS = 40;
/* How often the list is asked for anew while nothing is chosen and nothing more was loaded. */
const FRESH_MS = 3_000;
/* How many jobs may be looked at for that. */
const COSTLY = 5_000;

/* The time that tells most about a job in its state. */
const WHEN = {
  waiting: ["Handed in", (job) => ago(job.created_at)], delayed: ["Due", (job) => ago(job.due_at)], active: ["Runs for", (job) => since(job.started_at)],
  completed: ["Ended", (job) => ago(job.finished_at)], failed: ["Failed", (job) => ago(job.finished_at)], cancelled: ["Ended", (job) => ago(job.finished_at)],
};

/* Where no queue is named, the only one, or a choice. */
export const anyJobs = ({ root, query, signal }) => {
  const place = h("div");
  only(root, head("Jobs"), place);
  poll(place, signal, 0, () => get("queues", { signal }), ({ queues }) => {
    const state = query.state;
    if (queues.length === 0) only(place, empty("There is no queue yet, so there are no jobs."));
    else if (queues.length === 1) location.replace(href(["queues", queues[0].queue, "jobs"], { state }));
    else {
      const sum = (jobs) => (state ? jobs[state] ?? 0 : Object.values(jobs).reduce((a, b) => a + b, 0));
      only(place, h("p", { class: "soft lead" }, `${state ? `${title(state)} jobs` : "Jobs"} of which queue?`),
        h("ul", { class: "cards", data: { rows: "true" } }, [...queues].sort((a, b) => sum(b.jobs) - sum(a.jobs)).map(({ queue, jobs }) => h("li", {},
          h("a", { class: "card tile", href: href(["queues", queue, "jobs"], { state }), data: { part: "open" } }, h("span", { class: "name" }, queue), h("strong", {}, compact(sum(jobs))), h("span", { class: "below" }, state ?? "jobs"))))));
    }
  });
};

export const jobs = ({ root, params, query, signal }) => {
  const { queue } = params;
  const state = STATES.includes(query.state) ? query.state : query.kind || query.text || query.error ? "failed" : "waiting";
  const filter = { kind: query.kind, tenant: query.tenant, error: query.error, text: query.text, within: query.within, older: query.older };
  const verbs = Object.keys(ALLOWED).filter((verb) => ALLOWED[verb].includes(state));
  const chosen = new Set();
  let shown = [];
  let next = null;
  let more = false;
  let looked = 0;
  let stopped = false;
  let timer = 0;
  let under = null;

  const states = h("div");
  const drawStates = () => only(states, tabs("States", STATES.map((one) => ({ name: title(one), to: href(["queues", queue, "jobs"], { ...filter, error: one === "failed" ? filter.error : "", state: one }), on: one === state,
    count: countsOf(queue) ? compact(countsOf(queue).jobs[one], 10_000) : "", tone: one === "failed" && countsOf(queue)?.jobs.failed ? "failed" : "" }))));
  const tools = h("div", { class: "selection", role: "group", "aria-label": "What to do with jobs" });
  const all = h("input", { type: "checkbox", "aria-label": "Select all jobs shown", onchange: () => {
    for (const job of shown) if (all.checked) chosen.add(job.id); else chosen.delete(job.id);
    for (const box of body.querySelectorAll("input[type=checkbox]")) box.checked = all.checked;
    drawTools();
  } });
  const [whenName, when] = WHEN[state];
  const { element, body } = table(`${title(state)} jobs of ${queue}`, [{ name: "Select", box: all }, { name: "Job" }, { name: "Kind" }, { name: "Tenant" }, { name: whenName },
    { name: "Attempt", right: true }, ...(state === "completed" ? [{ name: "Took", right: true }] : []), ...(["failed", "waiting", "delayed"].includes(state) ? [{ name: state === "failed" ? "Error" : "Last error" }] : []),
    ...(state === "active" ? [{ name: "Worker" }] : [])], { rows: true });
  const place = h("div");
  const foot = h("div", { class: "more" });
  only(root, head(`Jobs of ${queue}`, { back: h("a", { href: "#/queues" }, "Queues"), actions: button("New job", () => enqueue(queue)) }), queueTabs(queue, "jobs"), states,
    filters(queue, state, filter, signal), tools, place, foot);
  drawStates();
  onCounts(drawStates, signal);

  const row = (job) => {
    const box = h("input", { type: "checkbox", checked: chosen.has(job.id), "aria-label": `Select job ${job.id}`, onchange: () => {
      if (box.checked) chosen.add(job.id); else chosen.delete(job.id);
      drawTools();
    } });
    const spent = job.attempt - job.handed_back;
    const to = href(["queues", queue, "jobs", job.id]);
    return h("tr", { onclick: (event) => {
      if (!event.target.closest("a, button, input, label") && getSelection().isCollapsed) go(to);
    } }, h("td", { class: "tick-box" }, h("label", { class: "hit" }, box)),
    cell("Job", [h("a", { href: to, data: { part: "open" }, title: job.id, class: "mono" }, shortId(job.id)), job.priority !== "normal" && [" ", badge(job.priority, "quiet")]], { head: true }),
    cell("Kind", job.kind), cell("Tenant", job.tenant), cell(whenName, when(job)), cell("Attempt", job.attempt ? `${number(spent)} of ${job.max_attempts}` : "–", { right: true }),
    state === "completed" && cell("Took", duration(job.finished_at - job.started_at), { right: true }),
    ["failed", "waiting", "delayed"].includes(state) && cell("Error", job.error ? [badge(job.error.code, "failed"), " ", h("span", { class: "message", title: job.error.message }, job.error.message.split("\n")[0])] : "–", { wide: true }),
    state === "active" && cell("Worker", job.worker ? h("span", { class: "mono" }, job.worker) : "–"));
  };

  const narrowed = Boolean(filter.kind || filter.tenant || filter.error || filter.text || filter.within || filter.older);
  const words = () => [state, "jobs", filter.kind && `of kind ${filter.kind}`, filter.tenant && `of tenant ${filter.tenant}`, filter.error && `with the error code ${filter.error}`, filter.text && `with “${filter.text}”`,
    filter.older && `older than ${duration(+filter.older)}`, filter.within && `of the last ${duration(+filter.within)}`].filter(Boolean).join(" ");
  const wanted = () => ({ states: [state], kind: filter.kind, tenant: filter.tenant, error: filter.error, text: filter.text, older_than_ms: filter.older ? +filter.older : undefined, after_ms: filter.within ? Math.round(now() - filter.within) : undefined });

  const drawTools = () => {
    const many = chosen.size;
    all.checked = many > 0 && shown.every((job) => chosen.has(job.id));
    all.indeterminate = many > 0 && !all.checked;
    const acts = many > 0
      ? verbs.map((verb) => button(`${VERBS[verb].name} ${number(many)}`, () => each(queue, verb, [...chosen], () => { chosen.clear(); again(); }), { tone: verb === "delete" || verb === "cancel" ? "bad quiet" : "quiet" }))
      : shown.length ? verbs.map((verb) => button(narrowed ? `${VERBS[verb].name} all that match …` : `${VERBS[verb].name} all …`, () => bulk(queue, verb, wanted(), words(), again),
        { tone: verb === "delete" || verb === "cancel" ? "bad quiet" : "quiet", name: `all-${verb}` })) : [];
    only(tools, h("span", { role: "status" }, many ? `${count(many, "job")} chosen` : ""), many > 0 && button("Choose none", () => {
      chosen.clear();
      for (const box of body.querySelectorAll("input[type=checkbox]")) box.checked = false;
      drawTools();
    }), acts);
  };

  const draw = () => {
    if (shown.length === 0 && next === null) {
      only(place, empty(narrowed ? `No ${state} job matches.` : `No job is ${state}.`, narrowed && h("p", { class: "soft" }, h("a", { href: href(["queues", queue, "jobs"], { state }) }, "Without filters"))));
    } else if (!element.isConnected) only(place, h("div", { class: "card" }, element));
    keyed(body, shown, ({ id }) => id, row);
    drawTools();
    const known = countsOf(queue)?.jobs[state];
    only(foot, h("p", { class: "soft", role: "status" }, `${number(shown.length)} shown${narrowed && looked ? `, ${number(looked)} looked at` : known >= shown.length ? ` of ${number(known)}` : ""}`),
      next !== null && button("Show more", () => { more = true; load(next); }, { name: "more" }), (costly() || more || stopped) && button("Refresh", again, { name: "refresh" }));
  };

  /* One page's worth, in as many answers as it takes: each looks at a bounded number of jobs. */
  const load = async (cursor) => {
    if (under) return;
    under = new AbortController();
    const stop = () => under?.abort();
    signal.addEventListener("abort", stop);
    const found = cursor === null ? [] : [...shown];
    const until = found.length + PAGE;
    const at = now();
    let seen = cursor === null ? 0 : looked;
    try {
      for (let round = 0; round < ROUNDS && found.length < until; round += 1) {
        const answer = await get(path`queues/${queue}/jobs` + search({ state, kind: filter.kind, tenant: filter.tenant, error: filter.error, text: filter.text,
          after_ms: filter.within ? Math.round(at - filter.within) : "", before_ms: filter.older ? Math.round(at - filter.older) : "", limit: until - found.length, cursor }), { signal: under.signal });
        found.push(...answer.jobs);
        seen += answer.looked;
        cursor = answer.next;
        if (cursor === null) break;
        if (round > 0 && (cursor !== null || more)) only(foot, h("p", { class: "soft", role: "status" }, `${number(found.length)} found, ${number(seen)} looked at …`), button("Stop", stop));
      }
      // A job that moved meanwhile may come twice.
      shown = [...new Map(found.map((job) => [job.id, job])).values()];
      [next, looked] = [cursor, seen];
      draw();
    } catch (problem) {
      if (signal.aborted) return;
      if (problem.name === "AbortError") {
        stopped = true;
        shown = found;
        next = cursor;
        looked = seen;
        draw();
      } else if (problem.status === undefined) throw problem;
      else if (!element.isConnected) only(place, trouble(problem, again));
    } finally {
      signal.removeEventListener("abort", stop);
      under = null;
    }
  };

  /* A search through many jobs is work for Redis: it is done again only when it is asked for. */
  const costly = () => narrowed && looked > COSTLY;
  const again = () => {
    [more, stopped, looked] = [false, false, 0];
    fresh();
  };

  const fresh = async () => {
    clearTimeout(timer);
    if (!(chosen.size || more || document.hidden || costly() || stopped)) await load(null);
    if (!signal.aborted) timer = setTimeout(fresh, FRESH_MS);
  };
  only(place, loading());
  document.addEventListener("manager-back", again, { signal });
  signal.addEventListener("abort", () => clearTimeout(timer));
  say(foot, "");
  fresh();
};
