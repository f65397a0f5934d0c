/* Does one thing to many jobs: counts them first, says what will happen, shows how far it is, can be stopped, and sums up.
   What runs is shown in the tray at the edge, whatever page is open. */

import { path, request } from "./api.js";
import { ALLOWED, VERBS, send } from "./actions.js";
import { confirm, dialog } from "./dialog.js";
import { h, only, say } from "./dom.js";
import { count, duration, number, percent } from "./format.js";
import { button } from "./parts.js";
import { lines } from "./stream.js";
import { now } from "./time.js";
import { complain, toast } from "./toast.js";

/* From how many deletions on the number has to be typed. */
const TYPED_FROM = 1_000;
/* How many single requests are under way at once. */
const AT_ONCE = 6;

/* Reads a bulk request's lines; `told(line)` gets each. Resolves to the last. */
const run = async (queue, body, signal, told) => {
  const response = await request("POST", path`queues/${queue}/bulk`, { body, signal, accept: "application/x-ndjson" });
  let last = { looked: 0, of: 0, matched: 0, done: 0, conflicts: 0 };
  for await (const line of lines(response, signal)) {
    if (line.trim() === "") continue;
    const said = JSON.parse(line);
    last = said;
    told(last);
    if (said.error) throw Object.assign(new Error(said.error), { status: 503, detail: said.error });
  }
  return last;
};

const CONSEQUENCE = {
  retry: () => "They run again from the start, with all their attempts. What they did before is done again.",
  cancel: (states) => `They will not run${states.includes("active") ? "; workers are asked to stop those that run" : ""}. What is cancelled can be retried.`,
  run_now: () => "They do not wait for their time any more, and run as soon as a worker is free.",
  delete: () => "They are forgotten, with their results and logs. Nothing brings them back.",
};

/* Counts what a filter lets through, and says so meanwhile. Null if that was stopped. */
const survey = (queue, verb, filter) => dialog("Counting", (close) => {
  const stopper = new AbortController();
  const bar = h("progress", { max: 1, "aria-label": "Jobs looked at" });
  const text = h("p", { role: "status" }, "Looking at the jobs …");
  run(queue, { verb, ...filter, dry_run: true }, stopper.signal, ({ looked, of, matched }) => {
    bar.max = Math.max(1, of);
    bar.value = looked;
    say(text, `${count(matched, "job")} of ${number(looked)} looked at.`);
  }).then((last) => close(last.end ? last : null), (problem) => {
    complain("They could not be counted", problem);
    close(null);
  });
  addEventListener("hashchange", () => close(null), { signal: stopper.signal, once: true });
  return [text, bar, h("div", { class: "choices" }, button("Cancel", () => { stopper.abort(); close(null); }))];
});

/*
 * The whole of it. `filter` is what the API takes: states, kind, tenant, error, text, older_than_ms; `words` say it to people,
 * as “failed jobs of kind mail”. `after()` is called at its end.
 */
export const bulk = async (queue, verb, filter, words, after = () => {}) => {
  const found = await survey(queue, verb, filter);
  if (found === null) return;
  if (found.matched === 0) {
    toast(`There are no ${words} in ${queue} now.`);
    return;
  }
  const many = found.matched;
  const agreed = await confirm({
    name: `${VERBS[verb].name} ${count(many, "job")}?`,
    text: [`${number(many)} ${words} in ${queue}.`, CONSEQUENCE[verb](filter.states), many !== 1 && "What changes before its turn comes is left alone."].filter(Boolean),
    verb: `${VERBS[verb].name} ${count(many, "job")}`,
    bad: verb === "delete" || verb === "cancel",
    typed: verb === "delete" && many > TYPED_FROM ? many : undefined,
  });
  if (!agreed) return;
  const work = tray(`${VERBS[verb].doing} ${words} in ${queue}`, many);
  const began = now();
  try {
    const last = await run(queue, { verb, ...filter, dry_run: false }, work.signal, work.told);
    work.ended(last, Boolean(last.end));
    if (verb === "cancel" && last.done > 0) {
      // What was cancelled before by others stays cancelled.
      const undo = { ...filter, states: ["cancelled"], older_than_ms: undefined, after_ms: Math.floor(began) };
      work.offer("Undo …", () => bulk(queue, "retry", undo, "jobs that this has cancelled", after));
    }
  } catch (problem) {
    work.failed(problem);
  }
  after();
};

/* The same for jobs that were chosen one by one. */
export const each = async (queue, verb, ids, after = () => {}) => {
  const many = count(ids.length, "chosen job");
  if (verb === "delete" || ids.length > 20) {
    const agreed = await confirm({
      name: `${VERBS[verb].name} ${many}?`, text: [CONSEQUENCE[verb](ALLOWED[verb])], verb: `${VERBS[verb].name} ${many}`, bad: verb !== "retry" && verb !== "run_now",
    });
    if (!agreed) return;
  }
  const work = tray(`${VERBS[verb].doing} ${many} in ${queue}`, ids.length);
  const tally = { looked: 0, of: ids.length, matched: ids.length, done: 0, conflicts: 0 };
  const rest = [...ids];
  const done = [];
  const one = async () => {
    while (rest.length && !work.signal.aborted) {
      const id = rest.shift();
      try {
        await send(verb, queue, id);
        done.push(id);
        tally.done += 1;
      } catch (problem) {
        if (problem.passing) throw problem;
        tally.conflicts += 1;
      }
      tally.looked += 1;
      work.told({ ...tally });
    }
  };
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, one));
    work.ended(tally, !work.signal.aborted);
    if (verb === "cancel" && done.length) work.offer("Undo", () => each(queue, "retry", done, after));
  } catch (problem) {
    rest.length = 0;
    work.failed(problem);
  }
  after();
};

/* A card in the tray with a bar. */
const tray = (name, many) => {
  const stopper = new AbortController();
  const start = performance.now();
  const bar = h("progress", { max: Math.max(1, many), value: 0, "aria-label": name });
  const text = h("p", { class: "soft" }, "Starting …");
  const spoken = h("p", { class: "hidden", role: "status" });
  const choices = h("div", { class: "choices" }, button("Stop", () => {
    stopper.abort();
    say(text, "Stopping …");
  }, { label: `Stop: ${name}` }));
  const card = h("div", { class: "work", data: { state: "running" } }, h("p", { class: "what" }, name), bar, text, spoken, choices);
  document.getElementById("tray").append(card);
  const leaving = (event) => event.preventDefault();
  addEventListener("beforeunload", leaving);
  let newest = { done: 0, conflicts: 0 };
  let quarter = 0;

  const close = (state, words) => {
    removeEventListener("beforeunload", leaving);
    card.dataset.state = state;
    say(text, words);
    say(spoken, words);
    only(choices, button("Close", () => card.remove(), { label: `Close: ${name}` }));
  };
  const sum = ({ done, asked = 0, conflicts }) => `${number(done)} done${asked ? `, ${number(asked)} asked to stop` : ""}${conflicts ? `, ${number(conflicts)} had changed and were left alone` : ""}`;

  return {
    signal: stopper.signal,
    told(line) {
      newest = line;
      if (stopper.signal.aborted) return;
      const over = line.done + (line.asked ?? 0) + line.conflicts;
      bar.max = Math.max(many, over, 1);
      bar.value = over;
      const spent = performance.now() - start;
      const left = over > 0 && spent > 1500 ? `, ${duration(spent / over * (bar.max - over))} left` : "";
      say(text, `${number(over)} of ${number(bar.max)} (${percent(over, bar.max)})${left}`);
      // Each quarter is enough to hear.
      const part = Math.floor(4 * over / bar.max);
      if (part > quarter && part < 4) say(spoken, `${25 * part} % done`);
      quarter = part;
    },
    ended(line, whole) {
      if (whole) bar.value = bar.max;
      close(whole ? "done" : "stopped", whole ? `${sum(line)}, in ${duration(performance.now() - start)}.` : `Stopped: ${sum(line)}. The rest is as it was.`);
    },
    failed(problem) {
      if (stopper.signal.aborted) close("stopped", `Stopped: ${sum(newest)}. The rest is as it was.`);
      else close("failed", `It broke off: ${problem.detail || problem.title || problem.message}. ${sum(newest)}.`);
    },
    offer(words, act) {
      choices.prepend(button(words, () => { card.remove(); act(); }));
    },
  };
};
