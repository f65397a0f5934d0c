/* One job: where it is in its life, what each attempt did, what it puts out while it runs, and what may be done with it. */

import { act, ALLOWED, setPriority, VERBS } from "./actions.js";
import { get, path } from "./api.js";
import { backtrace, parted } from "./backtrace.js";
import { h, only } from "./dom.js";
import { PRIORITIES, select } from "./enqueue.js";
import { duration, number } from "./format.js";
import { pretty } from "./json.js";
import { output } from "./output.js";
import { badge, button, copyable, empty, facts, head, loading, section, trouble } from "./parts.js";
import { go, href } from "./router.js";
import { follow } from "./stream.js";
import { ago } from "./time.js";
import { SAID, timeline } from "./timeline.js";

const OVER = ["completed", "failed", "cancelled"];
/* A job that says a lot is asked for no more often than this. */
const REST_MS = 400;
/* How often it is asked for without an event: of what waits, and of events that a job does not tell. */
const SLOW_MS = 5_000;
/* How many events are kept in the page. */
const MOST_EVENTS = 20_000;

/* Of a job that was named without its queue. */
export const wherever = async ({ root, params, signal }) => {
  only(root, head("Job"), loading("Looking in all queues"));
  try {
    const { queue, id } = await get(path`jobs/${params.id}`, { signal });
    if (!signal.aborted) location.replace(href(["queues", queue, "jobs", id]));
  } catch (problem) {
    if (signal.aborted) return;
    only(root, head("Job"), problem.status === 404 || problem.status === 400 || problem.status === 422
      ? empty(`There is no job ${params.id}. It may have been deleted, or be past the time that finished jobs are kept.`) : trouble(problem));
  }
};

const errorOf = ({ code, message, backtrace: trace }) => {
  const [said, own] = parted(message);
  return h("div", { class: "error" }, h("p", {}, badge(code, "failed")), h("pre", { class: "block bad", tabindex: 0, role: "group", "aria-label": "What the error says" }, said), own && backtrace(own), trace && backtrace(trace));
};

const factsOf = (job) => facts([
  ["Tenant", job.tenant], ["Priority", job.priority], ["Attempts", `${number(job.attempt - job.handed_back)} of ${number(job.max_attempts)}${job.handed_back ? `, ${number(job.handed_back)} not counted` : ""}`],
  ["Handed in", ago(job.created_at)], ["Due", job.due_at && ago(job.due_at)], ["Started", job.started_at && ago(job.started_at)], ["Ended", job.finished_at && ago(job.finished_at)],
  ["Expires unless begun", job.state === "waiting" || job.state === "delayed" ? job.expires_at && ago(job.expires_at) : null],
  ["Time of an attempt", job.timeout_ms && duration(job.timeout_ms)], ["Rests between attempts", job.retry && (typeof job.retry === "string" ? job.retry : JSON.stringify(job.retry))],
  ["Cancellation asked", job.cancel_at && ago(job.cancel_at)], ["Worker", job.worker && copyable(job.worker, "the worker")], ["Idempotency key", job.key && copyable(job.key, "the key")],
  ["Channel", copyable(job.topic, "the channel")], ["Trace", job.trace && copyable(job.trace.traceparent ?? JSON.stringify(job.trace), "the trace")],
]);

export const job = ({ root, params, signal }) => {
  const { queue, id } = params;
  const events = [];
  const steps = [];
  const seen = new Set();
  let record = null;
  let stream = null;
  let timer = 0;
  let asking = null;
  let asked = 0;

  const top = h("div");
  const life = timeline();
  const live = output();
  const side = h("div", { class: "stack" });
  const body = h("div", { class: "job" }, h("div", { class: "stack" }, life.element, live.element), side);
  only(root, head("Job", { back: [h("a", { href: href(["queues", queue]) }, queue), " / ", h("a", { href: href(["queues", queue, "jobs"]) }, "Jobs")] }), loading());

  const draw = () => {
    if (signal.aborted || !record) return;
    if (!body.isConnected) only(root, top, body);
    const may = Object.keys(ALLOWED).filter((verb) => ALLOWED[verb].includes(record.state) && !(verb === "cancel" && record.cancel_at));
    const sign = JSON.stringify([record.state, record.priority, record.cancel_at, record.kind]);
    if (top.dataset.sign !== sign) {
      const focus = document.activeElement?.id;
      top.dataset.sign = sign;
      only(top, head(record.kind, {
        back: [h("a", { href: href(["queues", queue]) }, queue), " / ", h("a", { href: href(["queues", queue, "jobs"], { state: record.state }) }, "Jobs")],
        beside: h("p", { class: "beside" }, h("span", { id: "state", role: "status", data: { state: record.state } }, badge(record.state)), record.cancel_at && !OVER.includes(record.state) && badge("cancelling", "delayed"), copyable(id, "the id")),
        actions: [(record.state === "waiting" || record.state === "delayed") && priority(), may.map((verb) => button(VERBS[verb].name, () => act(verb, record, changed),
          { tone: verb === "delete" || verb === "cancel" ? "bad quiet" : verb === "retry" ? "main" : "quiet", name: `do-${verb}` }))],
      }));
      if (focus) document.getElementById(focus)?.focus({ preventScroll: true });
    }
    life.draw(record, steps, events);
    live.state(record, OVER.includes(record.state));
    const told = JSON.stringify(record);
    if (side.dataset.sign === told) return;
    side.dataset.sign = told;
    const open = [...side.querySelectorAll("details.trace")].some((one) => one.open);
    only(side, record.error && section(record.state === "failed" ? "Error" : "Error of the latest attempt that failed", errorOf(record.error)),
      record.result !== undefined && section("Result", pretty(record.result)),
      section("Payload", record.payload === undefined ? empty("The payload can't be read: the job is damaged.") : pretty(record.payload)), section("Facts", factsOf(record)));
    if (open) for (const one of side.querySelectorAll("details.trace")) one.open = true;
  };

  const priority = () => {
    const choice = select("priority", PRIORITIES, record.priority);
    choice.setAttribute("aria-label", "Priority");
    choice.addEventListener("change", () => setPriority(record, choice.value, ask));
    return choice;
  };

  const changed = (gone = false) => {
    if (signal.aborted) return;
    if (gone) go(href(["queues", queue, "jobs"], { state: record.state }));
    else ask();
  };

  /* Asks for the job, now or soon. */
  const ask = () => {
    clearTimeout(timer);
    asking ??= (async () => {
      try {
        const answer = await get(path`queues/${queue}/jobs/${id}`, { signal });
        // A job that is over has no stream; one that was begun anew has another.
        const began = record === null || (OVER.includes(record.state) && !OVER.includes(answer.state));
        record = answer;
        if (began) listen();
        draw();
      } catch (problem) {
        if (signal.aborted || problem.name === "AbortError") return;
        if (problem.status === undefined) throw problem;
        if (!record || problem.status === 404) only(root, head("Job"), problem.status === 404 ? empty(`There is no job ${id} in ${queue}. It may have been deleted, or be past the time that finished jobs are kept.`) : trouble(problem, ask));
      } finally {
        asking = null;
        asked = Date.now();
        if (!signal.aborted && !(record && OVER.includes(record.state))) timer = setTimeout(ask, SLOW_MS);
      }
    })();
  };
  const soon = () => {
    clearTimeout(timer);
    timer = setTimeout(ask, Math.max(0, asked + REST_MS - Date.now()));
  };

  let frame = 0;
  const drawSoon = () => { frame ||= requestAnimationFrame(() => { frame = 0; draw(); }); };

  const heard = ({ type, id: at, data }) => {
    let event;
    try { event = JSON.parse(data); } catch { return false; }
    if (!event.type) event.type = type;
    // A stream that begins anew begins with what the log has.
    if (at && seen.has(at)) return false;
    seen.add(at);
    events.push({ ...event, at });
    if (events.length > MOST_EVENTS) events.shift();
    if (!SAID.includes(event.type)) steps.push(event);
    live.heard(event);
    drawSoon();
    if (!SAID.includes(event.type)) soon();
    return OVER.includes(event.type);
  };

  const listen = () => {
    stream?.abort();
    stream = new AbortController();
    signal.addEventListener("abort", () => stream.abort());
    follow(`${path`queues/${queue}/jobs/${id}`}/stream`, stream.signal, heard, (state) => {
      live.link(state);
      if (state === "ended" || state === "waiting") soon();
    });
  };

  // What goes on grows.
  const clockwork = setInterval(() => { if (record && !OVER.includes(record.state) && !document.hidden) drawSoon(); }, 1000);
  document.addEventListener("manager-back", ask, { signal });
  signal.addEventListener("abort", () => {
    clearTimeout(timer);
    clearInterval(clockwork);
    stream?.abort();
  });
  root.setAttribute("data-job", id);
  signal.addEventListener("abort", () => root.removeAttribute("data-job"));
  only(top);
  ask();
};
