/* Asks before something is done. It says what will happen and to how many; what can't be undone wants more than one press. */

import { h, only } from "./dom.js";
import { button } from "./parts.js";

/* Shows a dialog and resolves with what it was closed with. `build(close)` gives its content. Escape closes it with null. */
export const dialog = (name, build) => new Promise((resolve) => {
  const before = document.activeElement;
  let result = null;
  const close = (value = null) => {
    result = value;
    element.close();
  };
  const element = h("dialog", { "aria-labelledby": "dialog-name" });
  only(element, h("h2", { id: "dialog-name" }, name), build(close));
  element.addEventListener("close", () => {
    element.remove();
    if (before?.isConnected) before.focus({ preventScroll: true });
    resolve(result);
  });
  // A press beside it closes it, as Escape does.
  element.addEventListener("pointerdown", (event) => {
    if (event.target !== element) return;
    const { left, right, top, bottom } = element.getBoundingClientRect();
    if (event.clientX < left || event.clientX > right || event.clientY < top || event.clientY > bottom) close();
  });
  document.body.append(element);
  element.showModal();
});

/*
 * Resolves to whether it may be done. `typed`, if given, must be typed first: a number that shows that it was read.
 */
export const confirm = ({ name, text, verb, bad = false, typed }) => dialog(name, (close) => {
  const yes = button(verb, () => close(true), { tone: bad ? "bad main" : "main", name: "dialog-yes" });
  const parts = [text.map((line) => h("p", {}, line))];
  if (typed !== undefined) {
    const field = h("input", { id: "dialog-typed", autocomplete: "off", inputmode: "numeric", spellcheck: "false", oninput: () => {
      yes.disabled = field.value.replace(/[\s,.]/g, "") !== String(typed);
    } });
    yes.disabled = true;
    parts.push(h("label", { class: "field" }, `Type ${typed} to go on`, field));
  }
  const form = h("form", { method: "dialog", onsubmit: (event) => {
    event.preventDefault();
    if (!yes.disabled) close(true);
  } }, parts, h("div", { class: "choices" }, button("Cancel", () => close(false), { name: "dialog-no" }), yes));
  // Enter does what was asked for, except where that is destructive.
  if (typed === undefined && !bad) yes.setAttribute("autofocus", "");
  else if (typed === undefined) form.querySelector("#dialog-no").setAttribute("autofocus", "");
  return form;
});
