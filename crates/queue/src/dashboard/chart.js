/* Charts of lines over time, as SVG. They have a legend with the newest values, a cursor for mouse, finger and arrow keys,
   and say in words what they show. */

import { h, only, s, say } from "./dom.js";
import { clock } from "./time.js";

const HEIGHT = 168;
const PAD = { top: 10, right: 8, bottom: 22, left: 54 };

/* A round number that is at least `value`, with steps that are round too. */
const scaleOf = (value) => {
  if (!(value > 0)) return { top: 1, step: 0.5 };
  const rough = value / 3;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((n) => n * power).find((n) => n >= rough);
  return { top: Math.ceil(value / step) * step, step };
};

/* Times that people count in, as many as there is room for. */
const STEPS = [15_000, 30_000, 60_000, 120_000, 300_000, 600_000, 900_000, 1_800_000, 3_600_000, 7_200_000, 10_800_000, 14_400_000, 21_600_000];
const timesOf = (from, to, most) => {
  const step = STEPS.find((ms) => (to - from) / ms <= most) ?? STEPS.at(-1);
  const shift = new Date(from).getTimezoneOffset() * 60_000;
  const times = [];
  for (let at = Math.ceil((from - shift) / step) * step + shift; at <= to; at += step) times.push(at);
  return times;
};

/* A line with gaps where a value is null. */
const lineOf = (points, x, y) => {
  let path = "";
  let pen = false;
  for (const { at, value } of points) {
    if (value === null || !Number.isFinite(value)) { pen = false; continue; }
    // A single point has a dot.
    path += `${pen ? "L" : "M"}${x(at).toFixed(1)} ${y(value).toFixed(1)}${pen ? "" : "h.01"}`;
    pen = true;
  }
  return path;
};

/* The point of a series that is nearest in time; they are in order. */
const nearest = (points, at) => {
  let low = 0;
  let high = points.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (points[middle].at < at) low = middle + 1;
    else high = middle;
  }
  const before = points[low - 1];
  return before && at - before.at < points[low].at - at ? before : points[low];
};

/*
 * A chart. `series` are `{ name, tone, area? }`; `draw(all, { from, to })` gives each its points `{ at, value }` in order.
 * `format` writes a value.
 */
export const chart = ({ title, series, format, note }) => {
  const names = series.map(({ name, tone }) => {
    const value = h("b", {}, "–");
    return { value, item: h("li", { class: `tone-${tone}` }, h("i", { "aria-hidden": "true" }), name, " ", value) };
  });
  const picture = s("svg", { class: "plot", role: "img", tabindex: 0, height: HEIGHT, "aria-label": title });
  const bubble = h("div", { class: "bubble", role: "status", hidden: true });
  const empty = h("p", { class: "hint", hidden: true });
  const box = h("div", { class: "plotbox" }, picture, bubble, empty);
  const element = h("figure", { class: "chart card" },
    h("figcaption", {}, h("h3", {}, title), note && h("span", { class: "soft" }, note), h("ul", { class: "legend" }, names.map(({ item }) => item))), box);

  let all = series.map(() => []);
  let range = { from: 0, to: 1 };
  let width = 0;
  let cursor = null;
  let x = () => 0;
  let y = () => 0;

  const paint = () => {
    if (width === 0) return;
    const most = Math.max(0, ...all.flatMap((points) => points.map(({ value }) => value ?? 0)));
    const { top, step } = scaleOf(most);
    const [inner, high] = [width - PAD.left - PAD.right, HEIGHT - PAD.top - PAD.bottom];
    x = (at) => PAD.left + inner * (at - range.from) / (range.to - range.from);
    y = (value) => PAD.top + high * (1 - value / top);
    picture.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    const parts = [];
    for (let at = 0; at <= top + step / 100; at += step) {
      parts.push(s("line", { class: "grid", x1: PAD.left, x2: width - PAD.right, y1: y(at), y2: y(at) }),
        s("text", { class: "tick", x: PAD.left - 8, y: y(at) + 4, "text-anchor": "end" }, format(at)));
    }
    for (const at of timesOf(range.from, range.to, Math.max(2, Math.floor(inner / 90)))) {
      const place = x(at);
      if (place < PAD.left + 10 || place > width - 30) continue;
      parts.push(s("text", { class: "tick", x: place, y: HEIGHT - 6, "text-anchor": "middle" }, clock(at, range.to - range.from < 600_000)));
    }
    // Points before the range lead into it, and are cut off at its edge.
    const lines = [];
    series.forEach(({ tone, area }, n) => {
      const points = all[n];
      if (points.length === 0) return;
      const line = lineOf(points, x, y);
      if (area && line && !points.some(({ value }) => value === null)) {
        lines.push(s("path", { class: `area tone-${tone}`, d: `${line}L${x(points.at(-1).at).toFixed(1)} ${y(0)}L${x(points[0].at).toFixed(1)} ${y(0)}Z` }));
      }
      lines.push(s("path", { class: `line tone-${tone}`, d: line }));
    });
    parts.push(s("svg", { x: PAD.left, y: 0, width: inner + PAD.right, height: HEIGHT, viewBox: `${PAD.left} 0 ${inner + PAD.right} ${HEIGHT}` }, lines));
    only(picture, parts);
    point();
  };

  const point = () => {
    for (const old of picture.querySelectorAll(".cursor")) old.remove();
    const first = all.find((points) => points.length > 0);
    if (cursor === null || !first) {
      bubble.hidden = true;
      return;
    }
    const { at } = nearest(first, cursor);
    const marks = [s("line", { class: "cursor", x1: x(at), x2: x(at), y1: PAD.top, y2: HEIGHT - PAD.bottom })];
    const rows = series.map(({ name, tone }, n) => {
      const found = all[n].length ? nearest(all[n], at) : null;
      if (found && found.value !== null) marks.push(s("circle", { class: `cursor dot tone-${tone}`, cx: x(found.at), cy: y(found.value), r: 3.5 }));
      return h("span", { class: `tone-${tone}` }, h("i", { "aria-hidden": "true" }), name, " ", h("b", {}, found ? format(found.value) : "–"));
    });
    picture.append(...marks);
    only(bubble, h("span", { class: "soft" }, clock(at, range.to - range.from < 7_200_000)), rows);
    bubble.hidden = false;
    const left = x(at) > width / 2;
    bubble.style.left = left ? "" : `${x(at) + 10}px`;
    bubble.style.right = left ? `${width - x(at) + 10}px` : "";
  };

  const aim = (event) => {
    const { left } = picture.getBoundingClientRect();
    const share = (event.clientX - left - PAD.left) / (width - PAD.left - PAD.right);
    cursor = range.from + Math.min(1, Math.max(0, share)) * (range.to - range.from);
    point();
  };
  const leave = () => {
    cursor = null;
    point();
  };
  picture.addEventListener("pointermove", aim);
  picture.addEventListener("pointerdown", aim);
  picture.addEventListener("pointerleave", leave);
  picture.addEventListener("blur", leave);
  picture.addEventListener("keydown", (event) => {
    const points = all.find((some) => some.length > 0);
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step || !points) return;
    event.preventDefault();
    const at = cursor === null ? points.length : points.indexOf(nearest(points, cursor));
    cursor = points[Math.min(points.length - 1, Math.max(0, at + step))].at;
    point();
  });

  new ResizeObserver(([{ contentRect }]) => {
    width = Math.round(contentRect.width);
    paint();
  }).observe(box);

  return {
    element,
    /* `why`, if given, stands in the place of the lines. */
    draw(points, between, why = "") {
      all = points;
      range = between;
      const words = [];
      names.forEach(({ value }, n) => {
        const last = points[n].at(-1)?.value;
        const text = Number.isFinite(last) ? format(last) : "–";
        say(value, text);
        words.push(`${series[n].name} ${text}`);
      });
      picture.setAttribute("aria-label", `${title}, now: ${words.join(", ")}. Arrow keys read earlier values.`);
      empty.hidden = !why;
      say(empty, why);
      paint();
    },
  };
};

/* A small line without axes, beside a number. */
export const spark = (points, tone) => {
  const [wide, high] = [96, 24];
  const most = Math.max(...points.map(({ value }) => value ?? 0), 1e-9);
  const [from, to] = [points[0]?.at ?? 0, points.at(-1)?.at ?? 1];
  const line = lineOf(points, (at) => wide * (at - from) / Math.max(1, to - from), (value) => high - 1.5 - (high - 3) * value / most);
  return s("svg", { class: "spark", viewBox: `0 0 ${wide} ${high}`, width: wide, height: high, "aria-hidden": "true", preserveAspectRatio: "none" },
    s("path", { class: `line tone-${tone}`, d: line }));
};
