/* The address says everything: which page, of which queue, with which filters. Going back is going back. */

const routes = [];
let current = null;
let shown = () => {};

/* `queues/:queue/jobs` and the page for it: `page({ root, params, query, signal, set })`. */
export const route = (pattern, name, page) => routes.push({ parts: pattern.split("/"), name, page });

/* An address within the dashboard: link`queues/${queue}` with a query. */
export const href = (parts, fields = {}) => {
  const where = parts.map((part) => encodeURIComponent(part)).join("/");
  const set = Object.entries(fields).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return `#/${where}${set.length ? `?${new URLSearchParams(set)}` : ""}`;
};

const parse = () => {
  const text = location.hash.replace(/^#\/?/, "");
  const [where, search = ""] = text.split("?");
  const parts = where.split("/").filter((part) => part !== "").map((part) => {
    // A broken address is one that there is no page for.
    try { return decodeURIComponent(part); } catch { return part; }
  });
  return { parts, query: Object.fromEntries(new URLSearchParams(search)) };
};

const match = (parts) => {
  for (const { parts: wanted, name, page } of routes) {
    const given = wanted[0] === "" ? [] : wanted;
    if (given.length !== parts.length) continue;
    const params = {};
    if (given.every((part, n) => (part.startsWith(":") ? ((params[part.slice(1)] = parts[n]), true) : part === parts[n]))) return { name, page, params };
  }
  return null;
};

/* Shows the page of the address. */
export const show = ({ again = false } = {}) => {
  const { parts, query } = parse();
  const found = match(parts);
  current?.stopper.abort();
  const stopper = new AbortController();
  const place = parts.join("/");
  const moved = !again && current?.place !== place;
  current = { stopper, place };
  shown({ found, params: found?.params ?? {}, query, signal: stopper.signal, moved });
};

/* Goes somewhere. */
export const go = (address) => { location.hash = address; };

/* Writes other filters into the address of this page without showing it anew. */
export const rewrite = (parts, fields) => history.replaceState(null, "", href(parts, fields));

export const listen = (listener) => {
  shown = listener;
  addEventListener("hashchange", () => {
    // The link that skips to the page is no address of a page.
    if (location.hash !== "#main") show();
  });
  show();
};
