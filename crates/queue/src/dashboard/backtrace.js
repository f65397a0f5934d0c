/* A back-trace: folded, with the frames of the program's own code standing out from those of libraries. */

import { h } from "./dom.js";
import { count } from "./format.js";

/* Paths and names that are not the program's own. */
const FOREIGN = /^(<?(std|core|alloc|tokio|futures|tower|apalis|tracing|hyper|mio|serde|rayon|__rust|rust_|_start|clone|start_thread|main$)|__|<unknown>)/;
const FOREIGN_PATH = /\/rustc\/|\.cargo\/registry|\/library\/(std|core|alloc)\/|node_modules|site-packages/;

/* Lines `4: name` followed by `at file:line`, as Rust writes them; anything else is a line of its own. */
const framesOf = (text) => {
  const frames = [];
  for (const line of text.split("\n")) {
    const start = line.match(/^\s*(\d+):\s+(.*)$/);
    const place = line.match(/^\s+at\s+(.*)$/);
    if (start) frames.push({ n: start[1], name: start[2].replace(/^0x[0-9a-f]+ - /, ""), place: "" });
    else if (place && frames.length) frames.at(-1).place = place[1];
    else if (line.trim() !== "") frames.push({ n: "", name: line.trim(), place: "" });
  }
  return frames;
};

/* Where a message goes over into a back-trace of its own, as errors that carry one print it. */
const START = /\n\s*(?:stack )?back-?trace:?\s*\n|\n(?=\s*0: )|\n(?=\s+at )|\n(?=Traceback )/i;

/* A message and the back-trace that is part of it, if one is. */
export const parted = (message) => {
  const found = message.match(START);
  return found ? [message.slice(0, found.index).trimEnd(), message.slice(found.index + found[0].length)] : [message, ""];
};

export const backtrace = (text) => {
  const frames = framesOf(text);
  const list = h("ol", { class: "block frames", tabindex: 0, "aria-label": "Frames" }, frames.map(({ n, name, place }) => {
    const foreign = n !== "" && (FOREIGN.test(name) || FOREIGN_PATH.test(place));
    return h("li", { class: foreign ? "foreign" : "" }, h("span", { class: "soft" }, n), h("span", {}, name, place && h("span", { class: "soft place" }, place)));
  }));
  return h("details", { class: "trace" }, h("summary", {}, `Back-trace (${count(frames.length, "frame")})`), list);
};
