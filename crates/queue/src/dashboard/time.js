/* Times: relative to now, which is Redis' clock as far as it is known; exact on hover. They go on by themselves. */

import { h, say } from "./dom.js";
import { duration } from "./format.js";

/* How far Redis' clock is ahead of this machine's. */
let ahead = 0;

export const now = () => Date.now() + ahead;

/* The stream says Redis' time each second. What is half a second off is only the way here. */
export const setNow = (redis) => {
  const differs = redis - Date.now();
  if (Math.abs(differs - ahead) > 500) ahead = differs;
};

const full = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });

/* 12 Nov 2026, 14:03:22.041 */
export const absolute = (ms) => (Number.isFinite(ms) ? `${full.format(ms)}.${String(Math.floor(ms) % 1000).padStart(3, "0")}` : "–");

/* Of a day: 14:03 or 14:03:22. */
export const clock = (ms, seconds = false) => {
  const date = new Date(ms);
  const two = (n) => String(n).padStart(2, "0");
  return `${two(date.getHours())}:${two(date.getMinutes())}${seconds ? `:${two(date.getSeconds())}` : ""}`;
};

/* just now, 12 s ago, in 5 min; one unit is enough. */
export const relative = (ms) => {
  const away = now() - ms;
  const span = Math.abs(away);
  if (span < 1000) return "just now";
  const [text] = [[60_000, 1000, "s"], [3_600_000, 60_000, "min"], [48 * 3_600_000, 3_600_000, "h"], [Infinity, 86_400_000, "d"]]
    .filter(([below]) => span < below)
    .map(([, unit, name]) => `${Math.floor(span / unit)} ${name}`);
  return away < 0 ? `in ${text}` : `${text} ago`;
};

/* An element with a relative time. */
export const ago = (ms, none = "–") => {
  if (!Number.isFinite(ms)) return h("span", { class: "soft" }, none);
  return h("time", { datetime: new Date(ms).toISOString(), title: absolute(ms), data: { at: ms } }, relative(ms));
};

/* An element with how long it is since then. */
export const since = (ms) => {
  if (!Number.isFinite(ms)) return h("span", { class: "soft" }, "–");
  return h("time", { datetime: new Date(ms).toISOString(), title: `since ${absolute(ms)}`, data: { since: ms } }, duration(now() - ms));
};

setInterval(() => {
  if (document.hidden) return;
  for (const element of document.querySelectorAll("time[data-at]")) say(element, relative(+element.dataset.at));
  for (const element of document.querySelectorAll("time[data-since]")) say(element, duration(Math.floor((now() - element.dataset.since) / 1000) * 1000));
}, 1000);
