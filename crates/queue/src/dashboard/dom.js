/* Makes elements. All that comes from elsewhere goes in as text: nothing in the dashboard reads data as markup. */

const SVG = "http://www.w3.org/2000/svg";

const fill = (element, attributes, children) => {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "data") Object.assign(element.dataset, value);
    else if (name === "value" || name === "checked") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  put(element, ...children);
  return element;
};

/* An element with attributes, listeners (`onclick`), and children: nodes, texts, lists of these, or nothing. */
export const h = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);

/* The same, of a picture. */
export const s = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

/* Adds children. */
export function put(parent, ...children) {
  for (const child of children.flat(Infinity)) {
    if (child === undefined || child === null || child === false) continue;
    parent.append(child instanceof Node ? child : String(child));
  }
}

/* Replaces all that is in an element. */
export const only = (parent, ...children) => {
  parent.replaceChildren();
  put(parent, ...children);
};

/* Writes a text where it differs, so that nothing is announced or selected anew. */
export const say = (element, text) => {
  if (element.textContent !== text) element.textContent = text;
};

/* A text for a screen reader alone. */
export const hidden = (text) => h("span", { class: "hidden" }, text);

/*
 * Keeps the children of `parent` in step with `items`: one each, made anew only where its signature has changed.
 * Focus and what a person has opened stay where they were.
 */
export const keyed = (parent, items, key, make, signature = JSON.stringify) => {
  const had = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  const focus = parent.contains(document.activeElement) ? document.activeElement : null;
  const focused = focus?.closest("[data-key]")?.dataset.key;
  const part = focus?.dataset.part;
  let at = parent.firstElementChild;
  for (const item of items) {
    const name = String(key(item));
    const sign = signature(item);
    let child = had.get(name);
    had.delete(name);
    if (!child || child.dataset.sign !== sign) {
      const fresh = make(item, child);
      fresh.dataset.key = name;
      fresh.dataset.sign = sign;
      if (child) {
        if (child === at) at = fresh;
        child.replaceWith(fresh);
      }
      child = fresh;
    }
    if (child === at) at = at.nextElementSibling;
    else parent.insertBefore(child, at);
  }
  for (const child of had.values()) child.remove();
  if (focused !== undefined && !parent.contains(document.activeElement)) {
    const row = [...parent.children].find((child) => child.dataset.key === focused);
    const target = part && row ? row.querySelector(`[data-part="${part}"]`) : row;
    target?.focus({ preventScroll: true });
  }
};
