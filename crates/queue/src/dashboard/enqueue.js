/* Hands in a job by hand. */

import { get, path, post } from "./api.js";
import { dialog } from "./dialog.js";
import { h, say } from "./dom.js";
import { button } from "./parts.js";
import { go, href } from "./router.js";
import { toast } from "./toast.js";

/* A named field of a form. */
export const field = (name, input, hint) => h("label", { class: "field" }, name, input, hint && h("small", { class: "soft" }, hint));

/* Options, of which one is chosen. */
export const select = (id, options, chosen) => h("select", { id }, options.map(([value, text]) => h("option", { value, selected: value === chosen }, text)));

export const PRIORITIES = [["high", "High"], ["normal", "Normal"], ["low", "Low"]];

/* The value of a JSON field, or what is wrong with it in `alert`. */
export const parsed = (input, alert) => {
  try {
    const value = JSON.parse(input.value);
    alert.hidden = true;
    input.removeAttribute("aria-invalid");
    return { value };
  } catch (error) {
    say(alert, `This is no JSON: ${error.message}`);
    alert.hidden = false;
    input.setAttribute("aria-invalid", "true");
    input.focus();
    return null;
  }
};

export const enqueue = (queue) => dialog(`New job in ${queue}`, (close) => {
  const kinds = h("datalist", { id: "job-kinds" });
  const kind = h("input", { id: "job-kind", required: true, maxlength: 64, list: "job-kinds", autocomplete: "off", spellcheck: "false", autofocus: true });
  const payload = h("textarea", { id: "job-payload", rows: 6, spellcheck: "false", value: "{}" });
  const priority = select("job-priority", PRIORITIES, "normal");
  const delay = h("input", { id: "job-delay", type: "number", min: 0, step: "any", placeholder: "0" });
  const tenant = h("input", { id: "job-tenant", maxlength: 64, autocomplete: "off", spellcheck: "false" });
  const key = h("input", { id: "job-key", maxlength: 128, autocomplete: "off", spellcheck: "false" });
  const alert = h("p", { class: "alert", role: "alert", hidden: true });
  get("workers").then(({ workers }) => {
    const known = new Set(workers.filter((worker) => worker.queue === queue).flatMap((worker) => worker.kinds));
    kinds.append(...[...known].sort().map((name) => h("option", { value: name })));
  }, () => { /* A suggestion only. */ });
  return h("form", { onsubmit: async (event) => {
    event.preventDefault();
    const read = parsed(payload, alert);
    if (!read) return;
    const body = { kind: kind.value.trim(), payload: read.value, priority: priority.value };
    if (+delay.value > 0) body.delay_ms = Math.round(+delay.value * 1000);
    if (tenant.value.trim()) body.tenant = tenant.value.trim();
    if (key.value.trim()) body.key = key.value.trim();
    try {
      const { id, duplicate } = await post(path`queues/${queue}/jobs`, { body });
      close();
      toast(duplicate ? "There is a job with this key already: this is it." : "The job was handed in.");
      go(href(["queues", queue, "jobs", id]));
    } catch (problem) {
      say(alert, problem.detail || problem.title || problem.message);
      alert.hidden = false;
    }
  } },
  field("Kind", kind, "Which handler runs it"), kinds, field("Payload, as JSON", payload),
  h("div", { class: "columns" }, field("Priority", priority), field("Delay in seconds", delay)),
  h("div", { class: "columns" }, field("Tenant", tenant), field("Idempotency key", key, "Handed in twice, it is stored once")), alert,
  h("div", { class: "choices" }, button("Cancel", () => close()), h("button", { type: "submit", class: "main" }, "Hand it in")));
});
