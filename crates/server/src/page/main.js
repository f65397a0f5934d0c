/* Binds the chat and the job to the page. */

const el = (id) => document.getElementById(id);

function make(name, kind, ...content) {
  const node = document.createElement(name);
  if (kind) node.className = kind;
  node.append(...content);
  return node;
}

/* Adds to a list that scrolls, and stays at its end if it was there. */
function append(list, item, most) {
  const follows = list.scrollHeight - list.scrollTop - list.clientHeight < 48;
  list.append(item);
  while (most && list.childElementCount > most) list.firstElementChild.remove();
  if (follows) list.scrollTop = list.scrollHeight;
}

const seconds = (pause) => Math.max(1, Math.round(pause / 1000)) + " s";

function showState(badge, state, text) {
  badge.dataset.state = state === "open" || state === "closed" ? state : "waiting";
  if (badge.textContent !== text) badge.textContent = text;
}

function alertIn(box, parts, action) {
  box.replaceChildren(make("span", "", ...parts));
  if (action) {
    const button = make("button", "quiet bad", action.text);
    button.type = "button";
    button.addEventListener("click", action.run);
    box.append(button);
  }
  box.hidden = false;
}

const withCode = ({ code, message }) => [make("code", "", String(code)), " ", message || "no reason given"];

/* ---- The token. It stays in this variable. */

let token = "";
let tokenWanted = false;

function toggleToken(open) {
  el("token-form").hidden = !open;
  el("token-toggle").setAttribute("aria-expanded", String(open));
  if (open) el("token").focus();
}

function useToken(value) {
  token = value;
  tokenWanted = false;
  el("token").value = "";
  el("token-state").textContent = value === "" ? ": none" : ": set";
  el("token-toggle").classList.toggle("set", value !== "");
  toggleToken(false);
  chat.connect();
  session.connect();
}

function wantToken(why) {
  tokenWanted = true;
  chat.stop();
  showState(el("chat-state"), "closed", "Not connected");
  alertIn(el("session-alert"), why);
  alertIn(el("chat-alert"), ["This server wants a token."]);
  toggleToken(true);
}

/* ---- The chat. */

const chat = new Chat(() => token, (state, { pause, code, message, opened }) => {
  el("chat-send").disabled = state !== "open";
  if (tokenWanted) return;
  if (state === "open") el("chat-alert").hidden = true;
  if (state === "connecting") return showState(el("chat-state"), state, "Connecting…");
  if (state === "open") return showState(el("chat-state"), state, "Connected");
  showState(el("chat-state"), "closed", `Not connected, again in ${seconds(pause)}`);
  /* A refusal before the upgrade has no code that a page may see. */
  const why = withCode({ code, message: message || (opened ? "the connection is lost" : "the server can't be reached, or refuses") });
  alertIn(el("chat-alert"), why, { text: "Try now", run: () => chat.connect() });
}, (frame) => showChat(el("chat-log"), frame));

el("chat-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const input = el("chat-text");
  if (input.value !== "" && chat.send(input.value)) input.value = "";
  input.focus();
});

/* ---- The job. */

/* How long the button keeps the connection cut: long enough to miss something. */
const CUT = 2_000;

const say = (text) => { el("job-said").textContent = text; };

const view = {
  clear() {
    el("job-empty").hidden = true;
    el("job").hidden = false;
    el("session-alert").hidden = true;
    el("job-events").replaceChildren();
    for (const id of ["job-epoch", "job-offset", "job-channel"]) el(id).textContent = "–";
    for (const id of ["job-recovered", "job-missing", "job-twice"]) el(id).textContent = "0";
    this.restart();
  },
  restart() {
    el("job-output").replaceChildren();
    this.progress(0);
  },
  state(state, text) {
    el("job").dataset.state = state;
    el("job-state").textContent = text;
    say("Job: " + text);
    const over = isOver(state);
    el("job-cancel").disabled = over || state === "submitting" || state === "cancelling";
    el("job-cut").disabled = over || !session.isOpen;
    el("job-run").disabled = !over || !session.isOpen;
  },
  channel(name) {
    el("job-channel").textContent = name;
    el("job-channel").title = name;
  },
  position({ epoch, offset }) {
    el("job-epoch").textContent = epoch;
    el("job-offset").textContent = offset;
  },
  progress(percent) {
    const value = typeof percent === "number" ? percent : 0;
    el("job-progress").value = value;
    el("job-percent").textContent = value + " %";
  },
  output(text, recovered) {
    const box = el("job-output");
    append(box, make("span", recovered ? "recovered" : "", text + " "));
  },
  counts(missing, twice) {
    el("job-missing").textContent = missing;
    el("job-twice").textContent = twice;
  },
  recovered(count) {
    el("job-recovered").textContent = count;
  },
  event(offset, { type, data, error, attempt }, recovered) {
    const spoken = data === undefined ? (attempt > 0 ? `attempt ${attempt}` : "") : JSON.stringify(data);
    const about = error ? `${error.code}: ${error.message}` : spoken;
    const item = make("li", recovered ? "recovered" : "",
      make("span", "at", String(offset)), make("span", "type", type), make("span", "data", about));
    if (isOver(type)) item.classList.add("end");
    if (error) item.classList.add("error");
    item.dataset.offset = offset;
    item.dataset.type = type;
    if (type === "chunk") item.dataset.n = data.n;
    append(el("job-events"), item, MOST_EVENTS);
  },
  note(text) {
    append(el("job-events"), make("li", "note", text), MOST_EVENTS);
    say(text);
  },
  problem(error) {
    alertIn(el("session-alert"), withCode(error));
  },
};

let job = null;

const session = new Session(() => token, (state, detail) => {
  const badge = el("session-state");
  if (state === "connecting") showState(badge, state, "Connecting…");
  if (state === "open") {
    showState(badge, state, "Connected");
    el("session-alert").hidden = true;
    job?.submit();
  }
  if (state === "waiting") {
    showState(badge, "closed", `${detail.cut ? "Cut" : "Not connected"}, again in ${seconds(detail.pause)}`);
    job?.lost();
    if (!detail.cut && !tokenWanted) {
      alertIn(el("session-alert"), withCode({ code: detail.code, message: detail.message || "the server can't be reached, or refuses" }),
        { text: "Try now", run: () => session.connect() });
    }
  }
  if (state === "closed") {
    showState(badge, state, "Closed");
    job?.lost();
    /* Before the session is open, 3500 and 3501 can only be about the token; 109 and 110 are about its end. */
    const about = { 3500: "this token is not valid here", 3501: "this server wants a token" }[detail.hello ? detail.code : 0];
    if (about || detail.code === 109 || detail.code === 110) wantToken(withCode({ code: detail.code, message: about || detail.message }));
    else alertIn(el("session-alert"), withCode(detail), { text: "Connect again", run: () => session.connect() });
  }
  const over = job === null || isOver(job.state);
  el("job-run").disabled = state !== "open" || !over;
  el("job-cut").disabled = state !== "open" || over;
});

el("job-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = el("job-text").value.trim();
  const payload = { steps: Number(el("job-steps").value), pause_ms: Math.round(Number(el("job-pause").value)) };
  job = new Job(session, view, text === "" ? payload : { ...payload, text });
});
el("job-cancel").addEventListener("click", () => job?.cancel());
el("job-cut").addEventListener("click", () => session.cut(CUT));

el("token-toggle").addEventListener("click", () => toggleToken(el("token-form").hidden));
el("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  if (el("token").value.trim() !== "") useToken(el("token").value.trim());
});
el("token-forget").addEventListener("click", () => useToken(""));
for (const span of document.querySelectorAll("[data-url]")) {
  const own = socketUrl("");
  span.textContent = span.dataset.url === "ws" ? `${own.protocol}//${own.host}` : location.origin;
}

addEventListener("online", () => {
  chat.connect();
  if (!session.isOpen) session.connect();
});
chat.connect();
session.connect();
