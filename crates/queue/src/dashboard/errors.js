/* What failed, grouped by error: what it is, how often, since when; and from there to the jobs, and to running them again. */

import { get, path } from "./api.js";
import { bulk } from "./bulk.js";
import { h, keyed, only } from "./dom.js";
import { compact, count, number } from "./format.js";
import { badge, button, empty, head, meter, tabs } from "./parts.js";
import { poll } from "./poll.js";
import { href } from "./router.js";
import { ago } from "./time.js";

/* Queues as a choice, in the address of a page that is about one or all. */
export const queueChoice = (page, queues, chosen, all = true) => tabs("Queues", [...(all ? [{ name: "All queues", to: href([page]), on: !chosen }] : []),
  ...queues.map(({ queue, n }) => ({ name: queue, to: href([page], { queue }), on: queue === chosen, count: n }))]);

/* The longest part of a group's message that stands in each job's message as it is: what was replaced is not in them. */
const PLACEHOLDER = /…|<[a-z ]+>|\{[a-z]*\}|\[[a-z]+\]|[#*]+/i;
const common = (message) => {
  const part = message.split(PLACEHOLDER).map((one) => one.trim()).sort((a, b) => b.length - a.length)[0] ?? "";
  return part.length >= 4 ? part.slice(0, 100) : "";
};

const card = (group, of, again) => {
  const text = common(group.message);
  const words = `failed jobs with the error code ${group.code}${text ? ` and “${text}”` : ""}`;
  const jobs = href(["queues", group.queue, "jobs"], { state: "failed", error: group.code, text });
  return h("li", { class: "card group" },
    h("p", { class: "top" }, badge(group.code, "failed"), h("span", { class: "soft" }, group.queue, " · ", group.kinds.join(", "))),
    h("h2", {}, h("a", { href: jobs, data: { part: "open" } }, group.message)),
    h("p", { class: "numbers" }, meter(`Share of the failed jobs: ${group.code}`, group.count, of, "failed"), h("b", {}, count(group.count, "job")),
      h("span", { class: "soft" }, "first ", ago(group.first_at), ", last ", ago(group.last_at))),
    h("div", { class: "choices" }, h("a", { class: "button", href: jobs }, "Show the jobs"), h("a", { class: "button", href: href(["queues", group.queue, "jobs", group.example]) }, "Newest example"),
      button("Retry all …", () => bulk(group.queue, "retry", { states: ["failed"], error: group.code, text: text || undefined }, words, again), { part: "retry" }),
      button("Delete all …", () => bulk(group.queue, "delete", { states: ["failed"], error: group.code, text: text || undefined }, words, again), { tone: "bad quiet", part: "delete" })));
};

export const errors = ({ root, query, signal }) => {
  const place = h("div");
  const choice = h("div");
  only(root, head("Failed jobs"), choice, place);
  const list = h("ul", { class: "groups", data: { rows: "true" } });
  const again = poll(place, signal, 10_000, async () => {
    const { queues } = await get("queues", { signal });
    const wanted = queues.filter(({ queue, jobs }) => (query.queue ? queue === query.queue : jobs.failed > 0));
    const answers = await Promise.all(wanted.map(async ({ queue }) => ({ queue, ...await get(path`queues/${queue}/errors`, { signal }) })));
    return { queues, answers };
  }, ({ queues, answers }) => {
    only(choice, queueChoice("errors", queues.map(({ queue, jobs }) => ({ queue, n: compact(jobs.failed, 10_000) })), query.queue));
    const groups = answers.flatMap(({ queue, groups: some }) => some.map((group) => ({ ...group, queue }))).sort((a, b) => b.count - a.count);
    const looked = answers.reduce((all, answer) => all + answer.looked, 0);
    const of = answers.reduce((all, answer) => all + answer.of, 0);
    if (groups.length === 0) {
      only(place, empty(query.queue ? `Nothing has failed in ${query.queue}.` : "Nothing has failed. Jobs that fail for good are shown here, those with the same error together."));
      return;
    }
    if (!list.isConnected) only(place, h("p", { class: "soft lead", role: "status", id: "errors-lead" }), list);
    only(place.querySelector("#errors-lead"), `${count(groups.length, "error")} in the ${looked < of ? `newest ${number(looked)} of ${number(of)}` : number(of)} failed jobs. Numbers and ids in messages are left out.`);
    keyed(list, groups, ({ queue, code, message }) => `${queue} ${code} ${message}`, (group) => card(group, looked, again));
  });
};
