/* The pages, with what should draw attention to them. */

import { h, hidden, only } from "./dom.js";
import { compact } from "./format.js";
import { icon } from "./icons.js";

const PAGES = [
  ["overview", "Overview", "#/"], ["queues", "Queues", "#/queues"], ["jobs", "Jobs", "#/jobs"], ["errors", "Failed", "#/errors"],
  ["workers", "Workers", "#/workers"], ["tenants", "Tenants", "#/tenants"], ["schedules", "Schedules", "#/schedules"], ["redis", "Redis", "#/redis"],
];

let current = null;
const links = new Map();

/* Draws them, or the counts beside them. */
export const nav = (box, queues = []) => {
  if (links.size === 0) {
    for (const [name, text, to] of PAGES) {
      const count = h("span", { class: "n" });
      links.set(name, { count, link: h("a", { href: to }, icon(name), h("span", {}, text), count) });
    }
    only(box, h("ul", {}, [...links.values()].map(({ link }) => h("li", {}, link))));
  }
  const sum = (state) => queues.reduce((all, queue) => all + queue.jobs[state], 0);
  const set = (name, n, what) => {
    const { count } = links.get(name);
    const text = n ? compact(n, 10_000) : "";
    if (count.dataset.n === text) return;
    count.dataset.n = text;
    only(count, text, text && hidden(` ${what}`));
  };
  set("errors", sum("failed"), "failed");
  set("queues", queues.filter(({ paused }) => paused).length, "paused");
};

/* Says which page is shown. */
export const marked = (name) => {
  current = name;
  for (const [key, { link }] of links) {
    if (key === current) {
      link.setAttribute("aria-current", "page");
      // On a phone the pages are a strip that scrolls.
      const strip = link.closest("nav");
      strip.scrollLeft = link.offsetLeft - (strip.clientWidth - link.offsetWidth) / 2;
    } else link.removeAttribute("aria-current");
  }
};
