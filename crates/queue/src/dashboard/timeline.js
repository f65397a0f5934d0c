/* The life of a job as spans in time: it waits, an attempt runs, it rests, another runs. Made from its events, and from what the
   job itself says where the log has been cut or was never written. */

import { h, only, say } from "./dom.js";
import { duration, number } from "./format.js";
import { badge, section } from "./parts.js";
import { absolute, ago, clock, now } from "./time.js";

/* Spans `{ name, tone, from, to, note, attempt }`; `to` is null for what goes on. */
const spansOf = (job, events) => {
  const spans = [];
  let open = null;
  const end = (at, tone, note) => {
    if (!open) return;
    Object.assign(open, { to: at }, tone && { tone }, note && { note });
    open = null;
  };
  const begin = (span) => {
    open = { to: null, ...span };
    spans.push(open);
  };
  begin({ name: "Waits", tone: "waiting", from: job.created_at });
  for (const { type, attempt, time, error } of events) {
    if (type === "queued") {
      // Handed in, or run again: the same word.
      if (time > job.created_at + 1 && spans.length > 1) {
        end(time);
        begin({ name: "Waits again", tone: "waiting", from: time });
      }
    } else if (type === "started") {
      // An attempt that said nothing more was lost with its worker.
      if (open?.attempt) end(time, "failed", "lost with its worker, or handed back");
      else end(time);
      begin({ name: `Attempt ${attempt}`, tone: "active", from: time, attempt });
    } else if (type === "retrying") {
      end(time, "failed", error && `${error.code}: ${error.message.split("\n")[0]}`);
      // What was lost with its worker goes back in line at once.
      begin(error?.code === "lease_lost" ? { name: "Waits again", tone: "waiting", from: time } : { name: "Rests", tone: "delayed", from: time });
    } else if (type === "completed") end(time, open?.attempt ? "completed" : undefined);
    else if (type === "failed") end(time, open?.attempt ? "failed" : undefined, error && `${error.code}: ${error.message.split("\n")[0]}`);
    else if (type === "cancelled") end(time, open?.attempt ? "cancelled" : undefined, "cancelled");
  }
  // What the events do not tell, the job does.
  const began = spans.some(({ attempt }) => attempt === job.attempt);
  if (job.attempt > 0 && !began && job.started_at) {
    end(job.started_at);
    begin({ name: `Attempt ${job.attempt}`, tone: "active", from: job.started_at, attempt: job.attempt });
  }
  if (job.finished_at && open) {
    end(job.finished_at, open.attempt ? job.state : undefined, job.error && job.state === "failed" ? `${job.error.code}: ${job.error.message.split("\n")[0]}` : undefined);
  }
  if (open && job.state === "delayed" && !open.attempt) Object.assign(open, { name: spans.length > 1 ? "Rests" : "Waits for its time", tone: "delayed" });
  if (open && job.state === "waiting" && open.tone === "delayed") open.note = "due, waits for a worker";
  return spans;
};

const row = (first, last, at) => ({ name, tone, from, to, note, attempt }) => {
  const bar = h("span", { class: `span tone-${tone}${to === null ? " going" : ""}` });
  const [left, width] = [100 * (from - first) / (last - first), 100 * ((to ?? at) - from) / (last - first)];
  bar.style.left = `${Math.min(99.4, left)}%`;
  bar.style.width = `${Math.max(0.6, Math.min(100 - left, width))}%`;
  return h("li", { class: attempt ? "attempt" : "", data: { tone } },
    h("span", { class: "what" }, name), h("span", { class: "track", title: `${absolute(from)} to ${to === null ? "now" : absolute(to)}` }, bar),
    h("span", { class: "took" }, duration((to ?? at) - from)), note && h("span", { class: "note" }, note));
};

const told = ({ type, attempt, time, data, error }) => h("li", {}, ago(time), h("span", { class: "type" }, badge(type, SAID.includes(type) ? "quiet" : type)),
  h("span", { class: "soft" }, attempt ? `attempt ${attempt}` : ""), h("code", {}, error ? `${error.code}: ${error.message.split("\n")[0]}` : data === undefined ? "" : JSON.stringify(data).slice(0, 200)));

/* Events that say something of the work, and nothing of the job's life. */
export const SAID = ["chunk", "log", "progress"];
/* How many of the newest events are listed. */
const LISTED = 500;

/* The section; `draw(job, steps, events)` brings it up to date: `steps` are those of the events that change the job's life. */
export const timeline = () => {
  const spans = h("ol", { class: "spans" });
  const axis = h("p", { class: "axis soft" });
  const name = h("summary", {}, "Events");
  const list = h("ol", { class: "events", tabindex: 0, "aria-label": "Events" });
  const details = h("details", { class: "told" }, name, list);
  let all = [];
  const fill = () => { if (details.open) only(list, all.slice(-LISTED).map(told)); };
  details.addEventListener("toggle", fill);
  return {
    element: section("Timeline", spans, axis, details),
    draw(job, steps, events) {
      const parts = spansOf(job, steps);
      const at = now();
      const first = job.created_at;
      const last = Math.max(first + 1, ...parts.map(({ to }) => to ?? at));
      only(spans, parts.map(row(first, last, at)));
      only(axis, h("span", { title: absolute(first) }, clock(first, true)), h("span", {}, `${duration(last - first)} in all`), h("span", { title: absolute(last) }, job.finished_at ? clock(last, true) : "now"));
      const fresh = events.length !== all.length || events.at(-1) !== all.at(-1);
      all = [...events];
      say(name, events.length > LISTED ? `Events (the newest ${LISTED} of ${number(events.length)})` : `Events (${events.length})`);
      if (fresh) fill();
    },
  };
};
