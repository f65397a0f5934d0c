/* The chat: the plain protocol, which is text frames. */

const MOST_LINES = 500;

class Chat {
  #token; #told; #heard; #socket = null; #tries = 0; #timer = 0;

  /* `told(state, detail)` is called with each state: connecting, open, waiting; `heard(frame)` with each frame that comes. */
  constructor(token, told, heard) {
    this.#token = token;
    this.#told = told;
    this.#heard = heard;
  }

  connect() {
    clearTimeout(this.#timer);
    if (this.#socket) {
      this.#socket.onclose = null;
      this.#socket.close();
    }
    this.#told("connecting", {});
    const url = socketUrl("ws");
    /* Browsers can't send headers with a WebSocket. */
    if (this.#token() !== "") url.searchParams.set("token", this.#token());
    const socket = new WebSocket(url);
    this.#socket = socket;
    let opened = false;
    socket.onopen = () => {
      opened = true;
      this.#tries = 0;
      this.#told("open", {});
    };
    socket.onmessage = (event) => this.#heard(event.data);
    socket.onclose = (event) => {
      this.#socket = null;
      const pause = backoff(this.#tries++);
      this.#told("waiting", { pause, code: event.code, message: event.reason, opened });
      this.#timer = setTimeout(() => this.connect(), pause);
    };
  }

  /* Stays away until somebody calls `connect`. */
  stop() {
    clearTimeout(this.#timer);
  }

  send(text) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(text);
    return true;
  }
}

/* A result and an error have exactly two keys; everything else is a message, as it was typed. */
function readFrame(text) {
  let value = null;
  if (text.startsWith("{")) {
    try { value = JSON.parse(text); } catch { /* a message that looks like JSON */ }
  }
  const keys = value === null ? "" : Object.keys(value).sort().join();
  if (keys === "msg,time" && typeof value.msg === "string" && typeof value.time === "number") {
    return { kind: "result", text: value.msg, detail: "done " + clock(value.time) };
  }
  if (keys === "error,message" && typeof value.error === "string") {
    return { kind: "error", text: String(value.message), detail: value.error };
  }
  return { kind: "text", text, detail: "" };
}

const clock = (time) => {
  const at = new Date(time);
  const two = (number) => String(number).padStart(2, "0");
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}.${String(at.getMilliseconds()).padStart(3, "0")}`;
};

function showChat(log, frame) {
  const { kind, text, detail } = readFrame(frame);
  log.querySelector(".empty")?.remove();
  const line = make("li", kind, make("span", "kind", kind), make("p", "", text));
  line.dataset.frame = frame;
  line.title = frame;
  if (detail) line.append(make("small", "", detail));
  append(log, line, MOST_LINES);
}
