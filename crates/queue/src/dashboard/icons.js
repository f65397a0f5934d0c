/* The few pictures of the dashboard, as paths of a 16 by 16 square. */

import { s } from "./dom.js";

const PATHS = {
  overview: "M2 9.5 5.5 6l3 3L14 3.5M2 13.5h12",
  queues: "M2.5 4h11M2.5 8h11M2.5 12h7",
  jobs: "M3 3h10v10H3zM5.5 8l1.8 1.8L10.8 6.3",
  errors: "M8 2.5 14 13H2zM8 6.5v3M8 11.3v.1",
  workers: "M4 4h8v8H4zM6.5 1.5V4M9.5 1.5V4M6.5 12v2.5M9.5 12v2.5M1.5 6.5H4M1.5 9.5H4M12 6.5h2.5M12 9.5h2.5",
  tenants: "M8 7.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5zM3 13.5c.5-2.8 2.5-4 5-4s4.5 1.2 5 4",
  schedules: "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12zM8 4.8V8l2.3 1.5",
  redis: "M2.5 4.5C2.5 3.1 5 2 8 2s5.5 1.1 5.5 2.5S11 7 8 7 2.5 5.9 2.5 4.5zM2.5 4.5v7C2.5 12.9 5 14 8 14s5.5-1.1 5.5-2.5v-7M2.5 8c0 1.4 2.5 2.5 5.5 2.5s5.5-1.1 5.5-2.5",
  search: "M7 11.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9zM10.3 10.3 14 14",
  help: "M6 6.2a2 2 0 1 1 2.6 1.9c-.4.2-.6.5-.6 1V10M8 12.3v.1",
  light: "M8 10.8a2.8 2.8 0 1 0 0-5.6 2.8 2.8 0 0 0 0 5.6zM8 1.5v1.2M8 13.3v1.2M1.5 8h1.2M13.3 8h1.2M3.4 3.4l.9.9M11.7 11.7l.9.9M3.4 12.6l.9-.9M11.7 4.3l.9-.9",
  dark: "M13.2 9.8A5.6 5.6 0 0 1 6.2 2.8a5.6 5.6 0 1 0 7 7z",
  auto: "M8 13.5a5.5 5.5 0 1 0 0-11zM8 2.5a5.5 5.5 0 1 0 0 11",
  copy: "M5.5 5.5h7v7h-7zM3.5 10.5v-7h7",
  done: "M3 8.5 6.5 12 13 4.5",
  close: "M4 4l8 8M12 4l-8 8",
  pause: "M5.5 3.5v9M10.5 3.5v9",
  play: "M5 3.5v9l7-4.5z",
};

/* A picture beside a text, or in a button that has a name of its own. */
export const icon = (name, size = 16) => s("svg", { viewBox: "0 0 16 16", width: size, height: size, "aria-hidden": "true", class: "pic" },
  s("path", { d: PATHS[name] }));
