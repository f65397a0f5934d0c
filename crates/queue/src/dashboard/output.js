/* What a job puts out, as it comes: how far it is, its lines for people, its streamed output. Only the latest attempt's counts:
   what an earlier one put out is void, and folded away. */

import { h, hidden, only, put, say } from "./dom.js";
import { clock, absolute } from "./time.js";
import { section } from "./parts.js";

/* A page need not hold a whole book. */
const MOST_PIECES = 5_000;
const MOST_LINES = 2_000;

/* Progress is a number to 100, a share, or an object that has one. */
const share = (data) => {
  if (typeof data === "number") return data > 1 || Number.isInteger(data) && data !== 1 ? data / 100 : data;
  if (data === null || typeof data !== "object") return null;
  if (typeof data.percent === "number") return data.percent / 100;
  const [done, of] = [data.done ?? data.current ?? data.step, data.of ?? data.total ?? data.steps];
  return typeof done === "number" && typeof of === "number" && of > 0 ? done / of : null;
};

/* A piece of output: a text as it is; of an object its text, which is a word or a token; else JSON. */
const piece = (data) => {
  if (typeof data === "string") return data;
  for (const name of ["text", "delta", "content"]) if (typeof data?.[name] === "string") return /\s$/.test(data[name]) ? data[name] : `${data[name]} `;
  return `${JSON.stringify(data)}\n`;
};

const text = (data) => (typeof data === "string" ? data : JSON.stringify(data));

export const output = () => {
  const bar = h("progress", { id: "progress", max: 100, "aria-label": "Progress" });
  const percent = h("output", { id: "percent" });
  const barLine = h("p", { class: "bar-line", hidden: true }, bar, percent);
  const stream = h("pre", { class: "block output", id: "output", tabindex: 0, role: "group", "aria-label": "Streamed output", hidden: true });
  const logs = h("ol", { class: "block logs", id: "logs", tabindex: 0, "aria-label": "Log lines", hidden: true });
  const earlier = h("div");
  const none = h("p", { class: "soft", id: "no-output" }, "No output yet.");
  const link = h("span", { class: "hidden", role: "status" });
  const element = section("Output", barLine, stream, logs, none, earlier, link);
  let attempt = 0;
  let pieces = 0;

  const follows = (box) => box.scrollHeight - box.scrollTop - box.clientHeight < 24;
  const add = (box, node) => {
    const down = follows(box);
    box.hidden = false;
    none.hidden = true;
    box.append(node);
    if (down) box.scrollTop = box.scrollHeight;
  };

  const reset = (next) => {
    if (attempt && (stream.childNodes.length || logs.children.length)) {
      const old = h("details", { class: "void" }, h("summary", {}, `Attempt ${attempt}, void`));
      if (stream.childNodes.length) put(old, h("pre", { class: "block output", tabindex: 0, role: "group", "aria-label": "Void output" }, stream.textContent));
      if (logs.children.length) put(old, h("ol", { class: "block logs", tabindex: 0, "aria-label": "Void log lines" }, [...logs.children]));
      earlier.prepend(old);
    }
    attempt = next;
    pieces = 0;
    only(stream);
    only(logs);
    stream.hidden = logs.hidden = barLine.hidden = true;
    none.hidden = false;
  };

  return {
    element,
    heard(event) {
      if (event.type === "started" && event.attempt !== attempt) reset(event.attempt);
      else if (event.type === "chunk") {
        pieces += 1;
        if (pieces > MOST_PIECES) stream.firstChild?.remove();
        add(stream, document.createTextNode(piece(event.data)));
        stream.dataset.pieces = pieces;
      } else if (event.type === "log") {
        if (logs.children.length >= MOST_LINES) logs.firstElementChild.remove();
        add(logs, h("li", {}, h("time", { class: "soft", title: absolute(event.time) }, clock(event.time, true)), h("span", {}, text(event.data))));
      } else if (event.type === "progress") {
        const part = share(event.data);
        barLine.hidden = false;
        none.hidden = true;
        if (part === null) bar.removeAttribute("value");
        else bar.value = Math.round(100 * part);
        say(percent, part === null ? text(event.data) : `${Math.round(100 * part)} %`);
      }
    },
    /* Says why there is nothing. */
    state({ state }, over) {
      say(none, over ? "It put nothing out, or its log is not kept any more." : state === "active" ? "No output yet." : "It has not begun.");
      if (state === "completed" && !barLine.hidden && bar.hasAttribute("value")) {
        bar.value = 100;
        say(percent, "100 %");
      }
    },
    link(state) {
      only(link, state === "waiting" ? "The live output is interrupted, and comes back." : hidden(""));
    },
  };
};
