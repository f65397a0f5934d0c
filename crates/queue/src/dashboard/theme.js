/* Light or dark: what the system says, or what was chosen here. It runs before the page is painted, so it is no module. */
"use strict";

(() => {
  const KEY = "theme";
  const root = document.documentElement;
  const ORDER = ["auto", "light", "dark"];

  /* A browser may refuse to keep anything; then a choice holds for as long as the page. */
  const kept = () => {
    try { return localStorage.getItem(KEY); } catch { return null; }
  };
  const keep = (theme) => {
    try { localStorage.setItem(KEY, theme); } catch { /* As said. */ }
  };

  const set = (theme) => {
    if (theme === "auto") delete root.dataset.theme;
    else root.dataset.theme = theme;
  };

  let theme = ORDER.includes(kept()) ? kept() : "auto";
  set(theme);

  window.theme = {
    get: () => theme,
    /* The next of automatic, light, dark. */
    turn: () => {
      theme = ORDER[(ORDER.indexOf(theme) + 1) % ORDER.length];
      set(theme);
      keep(theme);
      return theme;
    },
  };
})();
