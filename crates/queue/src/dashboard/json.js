/* JSON as it is read: indented, in colours, and with parts that fold. It is made of texts. */

import { h } from "./dom.js";
import { count } from "./format.js";

/* Beyond this, it is shown as it came: a page with a hundred thousand elements is no help. */
const MOST = 60_000;
/* Longer lists and objects are folded at first. */
const OPEN = 40;

const tag = (kind, text) => h("span", { class: `json-${kind}` }, text);

const leaf = (value) => {
  if (value === null) return tag("null", "null");
  return tag(typeof value, JSON.stringify(value));
};

/* `tail` is what comes after it: a comma, or nothing. */
const tree = (value, depth, tail) => {
  if (value === null || typeof value !== "object") return [leaf(value), tail];
  const list = Array.isArray(value);
  const entries = list ? value.map((item) => [null, item]) : Object.entries(value);
  const [left, right] = list ? "[]" : "{}";
  if (entries.length === 0) return [left + right + tail];
  const lines = entries.map(([name, item], n) => h("div", { class: "json-line" },
    name !== null && [tag("key", JSON.stringify(name)), ": "], tree(item, depth + 1, n < entries.length - 1 ? "," : "")));
  const open = depth < 6 && entries.length <= OPEN;
  return [h("details", { class: "json-part", open }, h("summary", {}, left, h("span", { class: "json-more" }, ` ${count(entries.length, list ? "item" : "field")} ${right}${tail}`)), lines, h("div", { class: "json-end" }, right + tail))];
};

/* A value, as a block. */
export const pretty = (value) => {
  const text = JSON.stringify(value);
  if (text === undefined) return h("pre", {}, "");
  if (typeof value === "string") return h("pre", { class: "block", tabindex: 0, role: "group", "aria-label": "Text" }, value);
  if (text.length > MOST) return h("pre", { class: "block", tabindex: 0, role: "group", "aria-label": "Text" }, JSON.stringify(value, null, 2));
  return h("div", { class: "block json", tabindex: 0, role: "group", "aria-label": "JSON" }, tree(value, 0, ""));
};
