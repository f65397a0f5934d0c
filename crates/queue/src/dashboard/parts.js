/* What pages are put together from: badges, tiles, tables, tabs, notices of emptiness and trouble. */

import { h, hidden, only, put } from "./dom.js";
import { icon } from "./icons.js";
import { toast } from "./toast.js";

/* The states of a job, in the order of its life. */
export const STATES = ["waiting", "delayed", "active", "completed", "failed", "cancelled"];

export const title = (word) => word.charAt(0).toUpperCase() + word.slice(1);

/* A state, an error's code, or another word with a colour; the word says it too. */
export const badge = (word, tone = word) => h("span", { class: `badge tone-${tone}` }, title(word).replaceAll("_", " "));

/* A button that does something. `tone`: main, quiet, bad. */
export const button = (text, onclick, { tone = "quiet", picture, label, name, disabled, part } = {}) => h("button",
  { type: "button", class: tone, onclick, "aria-label": label, title: label, id: name, disabled, data: part ? { part } : {} }, picture && icon(picture), text);

const copied = async (text, element) => {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Without TLS there is no clipboard: then it is selected, to be copied by hand.
    const range = document.createRange();
    range.selectNodeContents(element);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    toast("This browser lets the page copy nothing here: it is selected, press Ctrl+C.");
    return;
  }
  toast(`Copied ${text}`, { brief: true });
};

/* A text with a button that copies it. */
export const copyable = (text, what, shown = text) => {
  const code = h("code", { title: text }, shown);
  return h("span", { class: "copyable" }, code, h("button", {
    type: "button", class: "icon small", "aria-label": `Copy ${what} ${text}`, title: `Copy ${what}`,
    onclick: (event) => { event.preventDefault(); event.stopPropagation(); copied(text, code); },
  }, icon("copy", 14)));
};

/* The end of an id: its beginning is the time, and much the same for all. */
export const shortId = (id) => `…${id.slice(-8)}`;

/* A number with its name, and something small below. */
export const tile = (name, value, { below, tone, to } = {}) => {
  const inner = [h("span", { class: "name" }, name), h("strong", { class: tone ? `tone-${tone}` : "" }, value), below && h("span", { class: "below" }, below)];
  return to ? h("a", { class: "tile card", href: to }, inner) : h("div", { class: "tile card" }, inner);
};

/* The head of a page: its title, what stands beside it, and what may be done. */
export const head = (text, { beside, actions, back } = {}) => h("header", { class: "head" },
  h("div", {}, back && h("p", { class: "crumbs" }, back), h("h1", { tabindex: -1 }, text), beside),
  actions && h("div", { class: "actions" }, actions));

/* A section with a name. */
export const section = (name, ...children) => h("section", { class: "card section", "aria-label": name }, h("h2", {}, name), children);

/* Something small beside the name of a section. */
export const beside = (element, text) => {
  const title = element.querySelector("h2");
  only(title, title.firstChild, h("span", { class: "soft" }, text));
};

/* A table in a container of its own width. `columns` are `{ name, right?, hide? }`; returns `{ element, body }`. */
export const table = (caption, columns, { rows = false } = {}) => {
  const body = h("tbody", { data: rows ? { rows: "true" } : {} });
  const element = h("div", { class: "scroll", role: "group", "aria-label": caption }, h("table", {}, h("caption", { class: "hidden" }, caption),
    h("thead", {}, h("tr", {}, columns.map(({ name, right, quiet, box }) => h("th", { scope: "col", class: `${right ? "right" : ""}${box ? " tick-box" : ""}` }, box ?? (quiet ? hidden(name) : name))))), body));
  return { element, body };
};

/* A cell. Its column's name goes along, for where a phone shows rows as cards. */
export const cell = (label, content, { right, wide, wrap, head: isHead } = {}) => h(isHead ? "th" : "td",
  { scope: isHead ? "row" : undefined, class: `${right ? "right" : ""}${wide ? " wide" : ""}${wrap ? " wrap" : ""}`, data: { label } }, h("span", { class: "v" }, content));

/* Nothing is there, and why that may be. */
export const empty = (text, ...more) => h("div", { class: "empty" }, h("p", {}, text), more);

/* Something is on its way. */
export const loading = (text = "Loading") => h("div", { class: "empty loading", role: "status" }, h("p", {}, text));

/* What went wrong, and a way to try again. */
export const trouble = (problem, again) => {
  const lead = problem.status === 404 ? "There is no such thing (any more)"
    : problem.redis ? "Redis is away" : problem.title || "This went wrong";
  return h("div", { class: "trouble", role: "alert" }, h("h2", {}, lead),
    problem.detail && h("p", {}, problem.detail),
    problem.passing && h("p", { class: "soft" }, "This page comes back by itself as soon as it can."),
    again && button("Try again", again));
};

/* Choices of which one is taken, as links, so that they are in the address. */
export const tabs = (label, choices) => h("nav", { class: "tabs", "aria-label": label },
  choices.map(({ name, to, on, count, tone }) => h("a", { href: to, "aria-current": on ? "page" : undefined, class: tone && count ? `tone-${tone}` : "" }, name,
    count !== undefined && h("span", { class: "n" }, count))));

/* Facts, as a list of names and values; what is absent is left out. */
export const facts = (pairs) => {
  const list = h("dl", { class: "facts" });
  for (const [name, value] of pairs) {
    if (value === undefined || value === null || value === "" || value === false) continue;
    put(list, h("div", {}, h("dt", {}, name), h("dd", {}, value)));
  }
  return list;
};

/* How much of something is used. */
export const meter = (label, value, most, tone = "") => {
  const bar = h("span", { class: `fill ${tone ? `tone-${tone}` : ""}` });
  bar.style.width = `${Math.min(100, Math.max(value > 0 ? 2 : 0, 100 * value / (most || 1)))}%`;
  return h("span", { class: "meter", role: "meter", "aria-label": label, "aria-valuemin": 0, "aria-valuemax": most, "aria-valuenow": value }, bar);
};
