/* The filters of the list of jobs. They are in the address, so a list can be sent to someone, and Back works. */

import { get, path } from "./api.js";
import { h } from "./dom.js";
import { icon } from "./icons.js";
import { button } from "./parts.js";
import { go, href } from "./router.js";

/* How long after the last letter the list is asked for. */
const REST_MS = 450;

const CODES = ["error", "panic", "timeout", "lease_lost", "expired", "undecodable", "unknown_kind", "result_too_large"];
const SPANS = [["", "Any time"], ["w900000", "Last 15 min"], ["w3600000", "Last hour"], ["w86400000", "Last day"], ["o3600000", "Older than 1 h"], ["o86400000", "Older than 1 d"], ["o604800000", "Older than 7 d"]];

export const filters = (queue, state, filter, signal) => {
  let timer = 0;
  const apply = () => {
    clearTimeout(timer);
    const span = when.value;
    const target = href(["queues", queue, "jobs"], { state, text: text.value.trim(), kind: kind.value.trim(), tenant: tenant.value.trim(), error: error?.value,
      within: span.startsWith("w") ? span.slice(1) : "", older: span.startsWith("o") ? span.slice(1) : "" });
    if (target === location.hash) return;
    // The field that was written in is written in still, on the page that takes this one's place.
    const { id, selectionStart: at } = document.activeElement ?? {};
    addEventListener("hashchange", () => queueMicrotask(() => {
      const again = id ? document.getElementById(id) : null;
      again?.focus();
      if (again?.setSelectionRange && typeof at === "number") again.setSelectionRange(at, at);
    }), { once: true });
    go(target);
  };
  const soon = () => {
    clearTimeout(timer);
    timer = setTimeout(apply, REST_MS);
  };
  signal.addEventListener("abort", () => clearTimeout(timer));

  const input = (id, label, value, more) => h("input", { id, "aria-label": label, placeholder: label, value: value ?? "", maxlength: 128, autocomplete: "off", spellcheck: "false", oninput: soon, onchange: apply, ...more });
  const text = input("filter-text", "Search id, kind, tenant, key, error", filter.text, { data: { filter: "text" } });
  const kinds = h("datalist", { id: "filter-kinds" });
  const tenants = h("datalist", { id: "filter-tenants" });
  const kind = input("filter-kind", "Kind", filter.kind, { list: "filter-kinds" });
  const tenant = input("filter-tenant", "Tenant", filter.tenant, { list: "filter-tenants" });
  const choice = (id, label, options, value) => h("select", { id, "aria-label": label, onchange: apply }, options.map(([key, name]) => h("option", { value: key, selected: key === value }, name)));
  const error = state === "failed" ? choice("filter-error", "Error", [["", "Any error"], ...CODES.map((code) => [code, code])], filter.error ?? "") : null;
  const when = choice("filter-when", "Time", SPANS, filter.within ? `w${filter.within}` : filter.older ? `o${filter.older}` : "");

  // What there is to choose from is asked for once it is needed.
  const suggest = (element, list, ask) => element.addEventListener("focus", async () => {
    if (list.children.length) return;
    try {
      list.append(...(await ask()).map((value) => h("option", { value })));
    } catch { /* It can be typed. */ }
  }, { once: true });
  suggest(kind, kinds, async () => (await get(path`queues/${queue}/history` + "?since_ms=86400000&step_ms=3600000", { signal })).kinds.map((one) => one.kind));
  suggest(tenant, tenants, async () => (await get(path`queues/${queue}/tenants`, { signal })).tenants.map((one) => one.tenant));

  const set = filter.text || filter.kind || filter.tenant || filter.error || filter.within || filter.older;
  return h("form", { class: "filters", role: "search", "aria-label": "Filter jobs", onsubmit: (event) => { event.preventDefault(); apply(); } },
    h("span", { class: "searchbox" }, icon("search", 14), text), kind, kinds, tenant, tenants, error, when,
    set && button("Clear", () => go(href(["queues", queue, "jobs"], { state })), { name: "filter-clear", label: "Clear the filters" }),
    h("button", { type: "submit", class: "hidden", tabindex: -1 }, "Apply"));
};
