/* How Redis does: what it holds, whether it would lose or throw away jobs, who copies it. */

import { get } from "./api.js";
import { h, only, say } from "./dom.js";
import { bytes, duration, number, percent } from "./format.js";
import { badge, copyable, facts, head, meter, section, tile, title } from "./parts.js";
import { poll } from "./poll.js";
import { absolute, ago } from "./time.js";

/* Of all policies only this one never throws a job away. */
const SAFE = "noeviction";

const memory = ({ used, peak, max, policy }) => section("Memory",
  h("p", { class: "numbers" }, meter("Memory in use", used, max || Math.max(used, peak), max && used / max > 0.8 ? "failed" : "active"), h("b", {}, bytes(used)), h("span", { class: "soft" }, max ? `${percent(used, max)} of ${bytes(max)}` : "no limit of its own")),
  facts([["Peak", bytes(peak)], ["Limit", max ? bytes(max) : "none: the machine's memory"], ["When it is full", [h("code", {}, policy), " ", policy === SAFE ? badge("refuses writes", "completed") : badge("throws keys away", "failed")]]]));

const persistence = ({ aof, fsync, rdb_saved_at: saved, loading, last_error: failed }) => section("Persistence",
  facts([["Append-only file", aof ? badge("on", "completed") : badge("off", "delayed")], ["Written to disk", aof && (fsync === "always" ? "before each answer" : fsync === "everysec" ? "each second: a power failure loses a second" : `when the system likes (${fsync})`)],
    ["Last snapshot", saved ? ago(saved * 1000) : "none"], ["Last write", failed ? badge("failed", "failed") : badge("worked", "completed")], ["Loading", loading && badge("is loading its data", "delayed")]]));

const replication = ({ role, replicas }) => section("Replication", facts([["Role", role], ["Replicas", role === "master" ? number(replicas) : null]]),
  role !== "master" && h("p", { class: "alert" }, "This is a replica: what is written here is lost or refused."),
  role === "master" && replicas === 0 && h("p", { class: "soft" }, "No other machine has a copy."));

export const redis = ({ root, signal }) => {
  const warnings = h("div", { role: "status" });
  const tiles = h("div", { class: "tiles" });
  const place = h("div");
  const asked = h("p", { class: "soft lead" });
  only(root, head("Redis", { beside: asked }), warnings, tiles, place);
  poll(place, signal, 5_000, () => get("redis", { signal }), (answer) => {
    const { address, version, mode, uptime_s: uptime, clients, ops_per_s: ops, memory: held, warnings: warned } = answer;
    only(asked, copyable(address, "the address"));
    const sign = JSON.stringify(warned);
    if (warnings.dataset.sign !== sign) {
      warnings.dataset.sign = sign;
      only(warnings, warned.length ? h("ul", { class: "warnings" }, warned.map((warning) => h("li", { class: "alert" }, `${title(String(warning))}.`))) : h("p", { class: "fine" }, "Nothing to warn of."));
    }
    only(tiles, tile("Commands", number(ops), { below: "a second" }), tile("Memory", bytes(held.used), { below: held.max ? percent(held.used, held.max) : "no limit" }), tile("Clients", number(clients), { below: "connected" }),
      tile("Up for", duration(uptime * 1000), { below: `since ${absolute(Date.now() - uptime * 1000).split(",")[0]}` }), tile("Version", version, { below: mode }));
    only(place, h("div", { class: "three" }, memory(held), persistence(answer.persistence), replication(answer.replication)));
    say(asked.querySelector("code"), address);
  });
};
