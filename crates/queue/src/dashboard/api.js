/* Asks the manager. Each answer that is not wanted becomes a `Problem`, which says what it is for people and for programs. */

const KEY = "admin-token";

let token = null;
try { token = sessionStorage.getItem(KEY); } catch { /* A browser may refuse to keep anything. */ }

/* Called with a problem when a token is wanted, or another. */
let refused = () => {};

export const onRefused = (listener) => { refused = listener; };
export const hasToken = () => token !== null;

/* For as long as the tab is open. */
export const setToken = (given) => {
  token = given;
  try {
    if (given === null) sessionStorage.removeItem(KEY);
    else sessionStorage.setItem(KEY, given);
  } catch { /* As said. */ }
};

/* What went wrong: `away` if nothing answered at all, `redis` if the manager has no Redis, else what the manager said. */
export class Problem extends Error {
  constructor(status, code, title, detail) {
    super(detail || title);
    Object.assign(this, { status, code, title, detail });
  }

  get away() { return this.status === 0; }
  get redis() { return this.code === "unavailable"; }
  get passing() { return this.away || this.status >= 500 || this.status === 429; }
}

const problem = async (response) => {
  let said = {};
  try { said = await response.json(); } catch { /* What is between us and the manager says it its own way. */ }
  return new Problem(response.status, said.code ?? "", said.title ?? `HTTP ${response.status}`, said.detail ?? "");
};

/* The response itself, for what is read as it comes. */
export const request = async (method, path, { body, signal, accept = "application/json" } = {}) => {
  const headers = { accept };
  if (token !== null) headers.authorization = `Bearer ${token}`;
  if (method !== "GET") headers["content-type"] = "application/json";
  let response;
  try {
    response = await fetch(`api/v1/${path}`, {
      method, headers, signal, cache: "no-store", credentials: "omit",
      body: method === "GET" ? undefined : JSON.stringify(body ?? {}),
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, "away", "The queue manager does not answer", "");
  }
  if (response.ok) return response;
  const failed = await problem(response);
  if (failed.status === 401) refused(failed);
  throw failed;
};

const ask = (method) => async (path, options) => {
  const response = await request(method, path, options);
  try {
    return await response.json();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, "away", "The answer broke off", "");
  }
};

export const get = ask("GET");
export const post = ask("POST");
export const putTo = ask("PUT");
export const remove = ask("DELETE");

/* A path of which each part may have any characters: path`queues/${queue}/jobs/${id}` */
export const path = (texts, ...parts) => texts.reduce((all, text, n) => all + encodeURIComponent(parts[n - 1]) + text);

/* A query of what is neither absent nor empty. */
export const query = (fields) => {
  const set = Object.entries(fields).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return set.length ? `?${new URLSearchParams(set)}` : "";
};
