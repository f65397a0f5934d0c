/* The form of a schedule: a new one, or one that is there. */

import { path, putTo } from "./api.js";
import { dialog } from "./dialog.js";
import { h, say } from "./dom.js";
import { field, parsed, PRIORITIES, select } from "./enqueue.js";
import { button } from "./parts.js";
import { toast } from "./toast.js";

const local = (ms) => {
  const date = new Date(ms);
  return new Date(ms - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
};

/* `known` is the schedule, or null; a new one may go into any of `queues`. */
export const scheduleForm = (queue, known, after, queues = [queue]) => dialog(known ? `Edit ${known.name}` : "New schedule", (close) => {
  const time = known?.when ?? { cron: "0 */5 * * * *" };
  const place = select("schedule-queue", queues.map((one) => [one, one]), queue);
  const name = h("input", { id: "schedule-name", required: true, maxlength: 64, autocomplete: "off", spellcheck: "false", value: known?.name ?? "", disabled: Boolean(known), autofocus: !known });
  const sort = select("schedule-sort", [["cron", "By a calendar"], ["every", "Every so often"], ["at", "Once"]], time.cron ? "cron" : time.every_ms ? "every" : "at");
  const cron = h("input", { id: "schedule-cron", spellcheck: "false", autocomplete: "off", value: time.cron ?? "0 */5 * * * *", class: "mono" });
  const zone = h("input", { id: "schedule-zone", spellcheck: "false", autocomplete: "off", placeholder: "UTC", value: time.zone ?? (known ? "" : Intl.DateTimeFormat().resolvedOptions().timeZone ?? "") });
  const every = h("input", { id: "schedule-every", type: "number", min: 0.001, step: "any", value: (time.every_ms ?? 60_000) / 1000 });
  const once = h("input", { id: "schedule-at", type: "datetime-local", value: local(time.at ?? Date.now() + 3_600_000) });
  const ways = {
    cron: h("div", { class: "columns" }, field("Seconds, minutes, hours, day, month, weekday", cron), field("Time zone", zone)),
    every: field("Seconds", every), at: field("When, by this machine's clock", once),
  };
  const missed = select("schedule-missed", [["skip", "Skip them"], ["catch_up", "Catch up"]], known?.missed ?? "skip");
  const kind = h("input", { id: "schedule-kind", required: true, maxlength: 64, autocomplete: "off", spellcheck: "false", value: known?.job.kind ?? "" });
  const priority = select("schedule-priority", PRIORITIES, known?.job.priority ?? "normal");
  const payload = h("textarea", { id: "schedule-payload", rows: 4, spellcheck: "false", value: JSON.stringify(known?.job.payload ?? {}, null, 2) });
  const alert = h("p", { class: "alert", role: "alert", hidden: true });
  const shown = () => { for (const [way, element] of Object.entries(ways)) element.hidden = way !== sort.value; };
  sort.addEventListener("change", shown);
  shown();
  const chosen = () => {
    if (sort.value === "cron") return { cron: cron.value.trim(), ...(zone.value.trim() && { zone: zone.value.trim() }) };
    if (sort.value === "every") return { every_ms: Math.round(+every.value * 1000), ...(time.from !== undefined && { from: time.from }) };
    return { at: new Date(once.value).getTime() };
  };
  return h("form", { onsubmit: async (event) => {
    event.preventDefault();
    const read = parsed(payload, alert);
    if (!read) return;
    // What the form has no field for stays as it was.
    const body = { when: chosen(), missed: missed.value, paused: known?.paused ?? false, job: { ...known?.job, kind: kind.value.trim(), payload: read.value, priority: priority.value } };
    try {
      await putTo(path`queues/${known ? queue : place.value}/schedules/${known?.name ?? name.value.trim()}`, { body });
      close();
      toast(known ? `${known.name} was changed.` : `${name.value.trim()} is there.`);
      after();
    } catch (problem) {
      say(alert, problem.detail || problem.title || problem.message);
      alert.hidden = false;
    }
  } },
  h("div", { class: "columns" }, field("Name", name), !known && queues.length > 1 ? field("Queue", place) : field("Times that were missed", missed)),
  !known && queues.length > 1 && field("Times that were missed", missed),
  field("When", sort), Object.values(ways), h("div", { class: "columns" }, field("Kind of the job", kind), field("Priority", priority)), field("Payload, as JSON", payload), alert,
  h("div", { class: "choices" }, button("Cancel", () => close()), h("button", { type: "submit", class: "main" }, known ? "Change it" : "Make it")));
});
