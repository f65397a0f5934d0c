/* The keyboard: pages by two letters, rows by j and k, and a list of it all by `?`. */

import { find } from "./find.js";
import { h } from "./dom.js";
import { dialog } from "./dialog.js";
import { button } from "./parts.js";
import { go } from "./router.js";

const PLACES = { o: ["#/", "Overview"], q: ["#/queues", "Queues"], j: ["#/jobs", "Jobs"], f: ["#/errors", "Failed jobs"], w: ["#/workers", "Workers"],
  t: ["#/tenants", "Tenants"], s: ["#/schedules", "Schedules"], r: ["#/redis", "Redis"] };

/* How long the second letter may take. */
const PAIR_MS = 1_200;

let leader = 0;

const rows = () => [...document.querySelectorAll("main [data-rows] > *")];

const move = (step) => {
  const all = rows();
  if (all.length === 0) return;
  const at = all.findIndex((row) => row.contains(document.activeElement));
  const next = all[at < 0 ? (step > 0 ? 0 : all.length - 1) : Math.min(all.length - 1, Math.max(0, at + step))];
  const target = next.querySelector("[data-part=open]") ?? next.querySelector("a, button");
  target?.focus();
  next.scrollIntoView({ block: "nearest" });
};

const row = () => document.activeElement?.closest("[data-rows] > *");

/* Letters do nothing where letters are written. */
const writing = (element) => element?.closest("input:not([type=checkbox]), textarea, select, [contenteditable]");

const pressed = (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (writing(event.target)) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const led = Date.now() - leader < PAIR_MS;
  leader = 0;
  const acts = {
    g: () => { leader = Date.now(); },
    "?": help,
    "/": () => (document.querySelector("[data-filter]") ?? document.getElementById("find")).focus(),
    f: find,
    j: () => move(1),
    k: () => move(-1),
    x: () => row()?.querySelector("input[type=checkbox]")?.click(),
    Escape: () => document.activeElement?.blur(),
  };
  const act = led && PLACES[event.key] ? () => go(PLACES[event.key][0]) : acts[event.key];
  if (!act) return;
  event.preventDefault();
  act();
};

/* All of them, in a dialog. */
export const help = () => {
  const line = (keysOf, what) => h("div", {}, h("dt", {}, keysOf.map((key) => h("kbd", {}, key))), h("dd", {}, what));
  dialog("Keyboard", (close) => [
    h("div", { class: "shortcuts" },
      h("dl", {}, Object.entries(PLACES).map(([key, [, name]]) => line(["g", key], name))),
      h("dl", {}, line(["/"], "To the filter"), line(["f"], "Find a job by its id"), line(["j"], "Next row"), line(["k"], "Row before"),
        line(["Enter"], "Open the row"), line(["x"], "Select the row"), line(["Esc"], "Close, or leave a field"), line(["?"], "This list"))),
    h("div", { class: "choices" }, button("Close", () => close(), { tone: "main" })),
  ]);
};

export const keys = () => document.addEventListener("keydown", pressed);
