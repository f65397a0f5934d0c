/* Goes to a job of which only the id is known. */

import { h } from "./dom.js";
import { dialog } from "./dialog.js";
import { button } from "./parts.js";
import { go, href } from "./router.js";

export const find = async () => {
  const id = await dialog("Find a job", (close) => {
    const field = h("input", { id: "find-id", autocomplete: "off", spellcheck: "false", autofocus: true, placeholder: "01J…", maxlength: 64 });
    return h("form", { onsubmit: (event) => {
      event.preventDefault();
      close(field.value.trim());
    } }, h("label", { class: "field" }, "Its id; it is searched for in all queues", field),
    h("div", { class: "choices" }, button("Cancel", () => close()), h("button", { type: "submit", class: "main" }, "Find")));
  });
  if (id) go(href(["jobs", id]));
};
