/* Short notices at the edge, which say what was done and may have a button that undoes it. */

import { h } from "./dom.js";
import { icon } from "./icons.js";

const LASTS = 8_000;
const BRIEF = 2_500;
const MOST = 4;

const timers = new WeakMap();

const drop = (element) => {
  clearTimeout(timers.get(element));
  element.remove();
};

/* `action` is `{ text, run }`; `bad` stays until it is closed; `lasts` is how long another stays. Returns what closes it. */
export const toast = (text, { action, bad = false, brief = false, lasts = brief ? BRIEF : LASTS } = {}) => {
  const box = document.getElementById("toasts");
  const element = h("div", { class: `toast${bad ? " bad" : ""}`, role: bad ? "alert" : "status" }, h("p", {}, text),
    action && h("button", { type: "button", class: "quiet", onclick: () => { drop(element); action.run(); } }, action.text),
    h("button", { type: "button", class: "icon small", "aria-label": "Close this notice", onclick: () => drop(element) }, icon("close", 14)));
  while (box.children.length >= MOST) drop(box.firstElementChild);
  box.append(element);
  if (bad) return () => drop(element);
  // What is being read or is about to be pressed stays.
  const count = () => timers.set(element, setTimeout(() => drop(element), lasts));
  const hold = () => clearTimeout(timers.get(element));
  if (!action?.timed) {
    element.addEventListener("pointerenter", hold);
    element.addEventListener("pointerleave", count);
    element.addEventListener("focusin", hold);
    element.addEventListener("focusout", count);
  }
  count();
  return () => drop(element);
};

/* What a problem says, as a notice that stays. */
export const complain = (what, problem) => {
  if (problem.name === "AbortError" || problem.status === 401) return;
  toast(`${what}: ${problem.detail || problem.title || problem.message}`, { bad: true });
};
