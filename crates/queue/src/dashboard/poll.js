/* Asks again and again while a page is shown, and at once when the manager is back. What is shown stays while it can't be asked. */

import { only } from "./dom.js";
import { loading, trouble } from "./parts.js";

/* Told by the shell when the manager answers again. */
const BACK = "manager-back";
export const back = () => document.dispatchEvent(new Event(BACK));

/*
 * Calls `ask()` now and every `ms`, and gives what it resolves to to `draw(answer)`. Until the first answer, `place` says that
 * it is awaited, or what went wrong. Returns a function that asks at once. Nothing is asked for a page that nobody sees.
 */
export const poll = (place, signal, ms, ask, draw) => {
  let timer = 0;
  let drawn = false;
  let under = null;
  only(place, loading());

  const round = async () => {
    clearTimeout(timer);
    try {
      if (!(document.hidden && drawn)) {
        const answer = await ask();
        if (signal.aborted) return;
        if (!drawn) place.replaceChildren();
        drawn = true;
        draw(answer);
      }
    } catch (problem) {
      if (signal.aborted || problem.name === "AbortError") return;
      if (problem.status === undefined) throw problem;
      if (!drawn || problem.status === 404) {
        drawn = false;
        only(place, trouble(problem, again));
      }
    } finally {
      under = null;
      if (ms && !signal.aborted) timer = setTimeout(again, ms);
    }
  };
  const again = () => (under ??= round());
  document.addEventListener(BACK, again, { signal });
  document.addEventListener("visibilitychange", () => { if (!document.hidden && ms) again(); }, { signal });
  signal.addEventListener("abort", () => clearTimeout(timer));
  again();
  return again;
};
