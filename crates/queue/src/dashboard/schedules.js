/* What is handed in by the clock: when next, what came of it last; and writing, pausing, running and deleting schedules. */

import { get, path, post, putTo, remove } from "./api.js";
import { confirm } from "./dialog.js";
import { h, keyed, only } from "./dom.js";
import { queueChoice } from "./errors.js";
import { count, duration } from "./format.js";
import { badge, beside, button, cell, empty, head, section, shortId, table } from "./parts.js";
import { poll } from "./poll.js";
import { href } from "./router.js";
import { scheduleForm } from "./schedule.js";
import { absolute, ago } from "./time.js";
import { complain, toast } from "./toast.js";

const columns = [{ name: "Schedule" }, { name: "When" }, { name: "Next" }, { name: "Last" }, { name: "Job" }, { name: "Actions", quiet: true }];

const when = ({ cron, zone, every_ms: every, at }) => {
  if (cron) return [h("code", {}, cron), zone && h("span", { class: "soft" }, ` ${zone}`)];
  if (every) return `every ${duration(every)}`;
  return ["once, ", absolute(at).replace(/\.\d+$/, "")];
};

const at = ({ queue, name }) => path`queues/${queue}/schedules/${name}`;

const attempt = async (what, ask, done) => {
  try {
    done(await ask());
  } catch (problem) {
    complain(what, problem);
  }
};

const setPaused = (schedule, paused, again) => attempt(`${schedule.name} was not changed`, () => post(`${at(schedule)}/${paused ? "pause" : "resume"}`), () => {
  toast(paused ? `${schedule.name} is paused: it hands nothing in.` : `${schedule.name} goes on.`, { action: { text: paused ? "Resume" : "Pause again", run: () => setPaused(schedule, !paused, again) } });
  again();
});

const erase = async (schedule, again) => {
  const agreed = await confirm({ name: `Delete ${schedule.name}?`, text: [`It hands in no more jobs of kind ${schedule.job.kind} in ${schedule.queue}. Jobs that it has handed in stay.`], verb: "Delete 1 schedule", bad: true });
  if (!agreed) return;
  await attempt(`${schedule.name} was not deleted`, () => remove(at(schedule)), () => toast(`${schedule.name} was deleted.`, { action: { text: "Undo", run: () => restore(schedule, again) } }));
  again();
};

/* What was deleted is known still, so it can be written again. */
const restore = async ({ queue, name, when: time, missed, paused, job }, again) => {
  await attempt(`${name} was not written again`, () => putTo(at({ queue, name }), { body: { when: time, missed, paused, job } }), () => toast(`${name} is there again.`));
  again();
};

const row = (again) => (schedule) => {
  const { queue, name, when: time, missed, paused, job, next_at: next, last, source } = schedule;
  return h("tr", {},
    cell("Schedule", [h("b", {}, name), paused && [" ", badge("paused")], source && h("span", { class: "soft" }, ` from ${source}`)], { head: true }),
    cell("When", [when(time), missed === "catch_up" && h("span", { class: "soft" }, ", catches up")], { wrap: true }),
    cell("Next", paused ? h("span", { class: "soft" }, "paused") : ago(next, "never again")),
    cell("Last", last ? h("a", { class: "plain", href: href(["queues", queue, "jobs", last.job]), title: shortId(last.job), data: { part: "open" } }, ago(last.at)) : h("span", { class: "soft" }, "not yet")),
    cell("Job", [job.kind, job.tenant && h("span", { class: "soft" }, ` of ${job.tenant}`)]),
    cell("Actions", h("div", { class: "row" },
      button("Run now", () => attempt(`${name} was not run`, () => post(`${at(schedule)}/run`), ({ job: id }) => { toast(`A job of ${name} was handed in.`, { action: { text: "Show it", run: () => { location.hash = href(["queues", queue, "jobs", id]); } } }); again(); }), { label: `Run ${name} now`, part: "run" }),
      button(paused ? "Resume" : "Pause", () => setPaused(schedule, !paused, again), { label: `${paused ? "Resume" : "Pause"} ${name}`, part: "pause" }),
      button("Edit", () => scheduleForm(queue, schedule, again), { label: `Edit ${name}`, part: "edit" }),
      button("Delete", () => erase(schedule, again), { tone: "bad quiet", label: `Delete ${name}`, part: "delete" })), { right: true }));
};

export const schedules = ({ root, query, signal }) => {
  const place = h("div", { class: "stack" });
  const choice = h("div");
  const fresh = h("span");
  only(root, head("Schedules", { actions: fresh }), choice, place);
  const made = new Map();
  const again = poll(place, signal, 5_000, async () => {
    const { queues } = await get("queues", { signal });
    const wanted = queues.filter(({ queue }) => !query.queue || queue === query.queue);
    const answers = await Promise.all(wanted.map(async ({ queue }) => ({ queue, ...await get(path`queues/${queue}/schedules`, { signal }) })));
    return { queues, answers };
  }, ({ queues, answers }) => {
    only(choice, queueChoice("schedules", queues.map(({ queue }) => ({ queue })), query.queue));
    const target = query.queue ?? queues[0]?.queue;
    if (!fresh.firstChild && target) only(fresh, button("New schedule", () => scheduleForm(target, null, again, queues.map(({ queue }) => queue)), { tone: "main", name: "schedule-new" }));
    const some = answers.filter((answer) => answer.schedules.length > 0);
    if (some.length === 0) {
      made.clear();
      only(place, empty("Nothing is handed in by the clock. A schedule hands in a job at times of a calendar, every so often, or once."));
      return;
    }
    if (made.size === 0) place.replaceChildren();
    for (const [queue, { whole }] of made) {
      if (some.some((answer) => answer.queue === queue)) continue;
      whole.remove();
      made.delete(queue);
    }
    for (const { queue, schedules: all } of some) {
      if (!made.has(queue)) {
        const { element, body } = table(`Schedules of ${queue}`, columns, { rows: true });
        const whole = section(queue, element);
        made.set(queue, { body, whole });
        place.append(whole);
      }
      const { body, whole } = made.get(queue);
      beside(whole, count(all.length, "schedule"));
      keyed(body, all, ({ name }) => name, row(again));
    }
  });
};
