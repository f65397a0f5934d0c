/* Puts the dashboard together: the pages and their addresses, the navigation, and what stands around every page. */

import { hasToken, onRefused, setToken } from "./api.js";
import { only, say } from "./dom.js";
import { find } from "./find.js";
import { icon } from "./icons.js";
import { keys, help } from "./keys.js";
import { live, onCounts, onState, start, wake } from "./live.js";
import { nav, marked } from "./nav.js";
import { button, empty, head } from "./parts.js";
import { back } from "./poll.js";
import { listen, route, show } from "./router.js";
import { token } from "./token.js";
import { errors } from "./errors.js";
import { job, wherever } from "./job.js";
import { jobs, anyJobs } from "./jobs.js";
import { overview } from "./overview.js";
import { queue } from "./queue.js";
import { queues } from "./queues.js";
import { redis } from "./redis.js";
import { schedules } from "./schedules.js";
import { tenants } from "./tenants.js";
import { workers } from "./workers.js";

const at = (id) => document.getElementById(id);

route("", "overview", overview);
route("queues", "queues", queues);
route("queues/:queue", "queues", queue);
route("queues/:queue/jobs", "jobs", jobs);
route("queues/:queue/jobs/:id", "jobs", job);
route("jobs", "jobs", anyJobs);
route("jobs/:id", "jobs", wherever);
route("errors", "errors", errors);
route("workers", "workers", workers);
route("tenants", "tenants", tenants);
route("schedules", "schedules", schedules);
route("redis", "redis", redis);

/* While a token is asked for there is no page, and no stream. */
let locked = false;

const present = ({ found, params, query, signal, moved }) => {
  if (locked) return;
  const main = at("main");
  main.replaceChildren();
  marked(found?.name);
  if (!found) {
    only(main, head("Nothing here"), empty("There is no such page.", button("To the overview", () => { location.hash = "#/"; })));
  } else found.page({ root: main, params, query, signal });
  const heading = main.querySelector("h1");
  document.title = heading ? `${heading.textContent} · Queues` : "Queues";
  if (!moved) return;
  scrollTo(0, 0);
  // What was pressed is gone; a screen reader goes on at the new page's name.
  heading?.focus({ preventScroll: true });
};

onRefused((problem) => {
  if (locked) return;
  locked = true;
  const wrong = hasToken();
  setToken(null);
  token(at("main"), problem, wrong, (given) => {
    setToken(given);
    locked = false;
    start();
    show();
  });
});

/* How the stream does, at the edge and, where something is wrong, over the page. */
const WORDS = { connecting: "Connecting", open: "Live", waiting: "Away", ended: "Offline" };

const banner = () => {
  const { state, problem, until } = live;
  const box = at("banner");
  if (state !== "waiting" || locked) {
    box.hidden = true;
    return;
  }
  const what = problem?.redis ? `Redis is away; the manager itself answers. ${problem.detail}.`
    : problem === null || problem.away ? "The queue manager does not answer. What is shown here may be old."
      : `The queue manager answers “${problem.detail || problem.title}”.`;
  if (box.hidden || box.dataset.what !== what) {
    box.dataset.what = what;
    // A moment is no trouble: it is said once it lasts.
    only(box, what, " ", Object.assign(document.createElement("span"), { id: "banner-when", ariaLive: "off" }), button("Try now", wake));
    box.hidden = false;
  }
  const seconds = Math.max(0, Math.ceil((until - Date.now()) / 1000));
  say(at("banner-when"), seconds > 0 ? `Trying again in ${seconds} s.` : "Trying now.");
};

onState(({ state }, before) => {
  const link = at("link");
  link.dataset.state = state;
  say(link, WORDS[state]);
  banner();
  if (state === "open" && before === "waiting") back();
});
setInterval(banner, 1000);

const themeButton = () => {
  const name = { auto: "Colours: as the system", light: "Colours: light", dark: "Colours: dark" }[window.theme.get()];
  const element = at("theme");
  only(element, icon(window.theme.get()));
  element.setAttribute("aria-label", name);
  element.title = name;
};

only(at("find"), icon("search"));
only(at("help"), icon("help"));
themeButton();
at("find").addEventListener("click", find);
at("help").addEventListener("click", help);
at("theme").addEventListener("click", () => {
  window.theme.turn();
  themeButton();
});
at("skip").addEventListener("click", (event) => {
  event.preventDefault();
  at("main").focus();
});

nav(at("nav"));
onCounts(({ queues: all }) => nav(at("nav"), all));
keys();
start();
listen(present);
