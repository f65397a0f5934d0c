/* Asks for the administrator's token, where the manager wants one. */

import { h, only } from "./dom.js";
import { button } from "./parts.js";

/* `wrong` says that one was given before. `given(token)` is called with what was typed. */
export const token = (root, problem, wrong, given) => {
  const field = h("input", { id: "token", type: "password", autocomplete: "off", autocapitalize: "off", spellcheck: "false", required: true, "aria-describedby": "token-help" });
  const form = h("form", { class: "card gate", onsubmit: (event) => {
    event.preventDefault();
    const text = field.value.trim();
    if (text) given(text);
  } },
  h("h1", { tabindex: -1 }, "This dashboard wants a token"),
  wrong && h("p", { class: "alert", role: "alert", id: "token-wrong" }, `That token was refused${problem.detail ? `: ${problem.detail}` : ""}. Is it the one that the manager was started with?`),
  h("label", { class: "field" }, "Token", field),
  h("p", { class: "soft", id: "token-help" }, "The one in the manager's ", h("code", {}, "ADMIN_TOKEN"), ". It is kept for as long as this tab is open, and sent to this manager alone."),
  h("div", { class: "choices" }, button("Go on", () => form.requestSubmit(), { tone: "main", name: "token-use" })));
  only(root, form);
  document.title = "Token wanted · Queues";
  field.focus();
};
