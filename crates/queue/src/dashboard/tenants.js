/* Who has jobs in a queue, and what they may have. */

import { get, path } from "./api.js";
import { h, keyed, only } from "./dom.js";
import { compact, count, limitRate, number } from "./format.js";
import { queueChoice } from "./errors.js";
import { beside, cell, empty, head, meter, section, table } from "./parts.js";
import { poll } from "./poll.js";
import { href } from "./router.js";

const columns = [{ name: "Tenant" }, { name: "Waiting", right: true }, { name: "Share of what waits" }, { name: "Active", right: true }, { name: "Limits" }, { name: "Failed jobs", quiet: true }];

const said = (limits) => {
  if (!limits) return h("span", { class: "soft" }, "as the queue");
  const parts = [limits.max_active !== undefined && limits.max_active !== null && `${number(limits.max_active)} active`, limits.max_waiting !== undefined && limits.max_waiting !== null && `${number(limits.max_waiting)} waiting`,
    limits.rate && limitRate(limits.rate), limits.weight && `weight ${limits.weight}`].filter(Boolean);
  return parts.length ? parts.join(", ") : h("span", { class: "soft" }, "as the queue");
};

const one = (queue) => {
  const { element, body } = table(`Tenants of ${queue}`, columns, { rows: true });
  return { element, draw: (tenants) => {
    const all = tenants.reduce((sum, { waiting }) => sum + waiting, 0);
    const jobs = (tenant, state) => href(["queues", queue, "jobs"], { state, tenant });
    keyed(body, [...tenants].sort((a, b) => b.waiting + b.active - a.waiting - a.active), ({ tenant }) => tenant, ({ tenant, waiting, active, limits }) => h("tr", {},
      cell("Tenant", h("a", { href: jobs(tenant, "waiting"), data: { part: "open" } }, tenant), { head: true }), cell("Waiting", compact(waiting), { right: true }),
      cell("Share of what waits", meter(`Share of what waits: ${tenant}`, waiting, all, "waiting"), { wide: true }),
      cell("Active", [h("a", { class: "plain", href: jobs(tenant, "active"), data: { part: "active" } }, number(active)), limits?.max_active ? h("span", { class: "soft" }, ` of ${number(limits.max_active)}`) : null], { right: true }),
      cell("Limits", said(limits)), cell("Failed jobs", h("a", { href: jobs(tenant, "failed"), data: { part: "failed" } }, "failed"), { right: true })), (item) => JSON.stringify([item, all]));
  } };
};

export const tenants = ({ root, query, signal }) => {
  const place = h("div", { class: "stack" });
  const choice = h("div");
  only(root, head("Tenants"), choice, place);
  const made = new Map();
  poll(place, signal, 3_000, async () => {
    const { queues } = await get("queues", { signal });
    const wanted = queues.filter(({ queue }) => !query.queue || queue === query.queue);
    const answers = await Promise.all(wanted.map(async ({ queue }) => ({ queue, ...await get(path`queues/${queue}/tenants`, { signal }) })));
    return { queues, answers };
  }, ({ queues, answers }) => {
    only(choice, queueChoice("tenants", queues.map(({ queue }) => ({ queue })), query.queue));
    const some = answers.filter((answer) => answer.tenants.length > 0);
    if (some.length === 0) {
      made.clear();
      only(place, empty("No tenant has a job that waits or runs, and none has limits of its own."));
      return;
    }
    if (made.size === 0) place.replaceChildren();
    for (const { queue, tenants: all } of some) {
      if (!made.has(queue)) {
        const list = one(queue);
        made.set(queue, { ...list, whole: section(queue, list.element) });
        place.append(made.get(queue).whole);
      }
      const { draw, whole } = made.get(queue);
      beside(whole, count(all.length, "tenant"));
      draw(all);
    }
  });
};
