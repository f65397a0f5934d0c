/* A client of the Centrifugo JSON protocol, as small as it gets: numbered commands on one socket, and channels that go on
   where they were. For pages of your own there are SDKs. */

/* How long nothing at all may come beyond the server's ping interval, in milliseconds. */
const SILENCE = 10_000;
/* The socket was lost before the reply came: the code that SDKs give this. */
const LOST = { code: 11, message: "the connection was lost", temporary: true };

/* Grows to 20 seconds, with jitter: clients of one server must not come back in step. */
const backoff = (tries) => Math.min(20_000, 500 * 2 ** Math.min(tries, 6)) * (0.5 + Math.random() / 2);

const socketUrl = (path) => {
  const url = new URL(path, location.href);
  url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  return url;
};

class Session {
  #token; #told; #socket = null; #next = 1; #waiting = new Map(); #channels = new Map();
  #open = false; #tries = 0; #timer = 0; #silence = 0; #ping = 0; #pong = false;

  /* `token()` gives the token, and `told(state, detail)` is called with each state: connecting, open, waiting, closed. */
  constructor(token, told) {
    this.#token = token;
    this.#told = told;
  }

  get isOpen() { return this.#open; }

  connect() {
    this.#drop();
    this.#told("connecting", {});
    const socket = new WebSocket(socketUrl("connection/websocket"));
    this.#socket = socket;
    this.#ping = 0;
    this.#listen();
    socket.onopen = () => this.#command("connect", { token: this.#token(), name: "page" }, (error, result) => {
      if (error) return this.#refused(error);
      ({ ping: this.#ping = 0, pong: this.#pong = false } = result);
      this.#open = true;
      this.#tries = 0;
      this.#listen();
      this.#told("open", {});
      for (const channel of this.#channels.keys()) this.#subscribe(channel);
    });
    socket.onmessage = (event) => {
      this.#listen();
      for (const line of event.data.split("\n")) {
        if (line !== "" && socket === this.#socket) this.#reply(JSON.parse(line));
      }
    };
    socket.onclose = (event) => this.#closed(event.code, event.reason);
  }

  /* Drops the socket without a word, as a lost network would, and comes back after a while. */
  cut(pause) {
    this.#drop();
    this.#again(pause, { cut: true });
  }

  rpc(method, data) {
    return new Promise((resolve, reject) => this.#command("rpc", { method, data }, (error, result) => {
      if (error) reject(error); else resolve(result.data);
    }));
  }

  /* Follows a channel from a place in its log on. `on.events(publications, recovered)` gets what comes, `on.gap()` is called
     when the log no longer has all from there, and `on.refused(error)` when it can't be followed. */
  follow(channel, { epoch, offset }, on) {
    this.#channels.set(channel, { epoch, offset, on });
    if (this.#open) this.#subscribe(channel);
  }

  unfollow(channel) {
    if (this.#channels.delete(channel) && this.#open) this.#command("unsubscribe", { channel }, () => {});
  }

  #subscribe(channel) {
    const at = this.#channels.get(channel);
    const from = { channel, recover: true, epoch: at.epoch, offset: at.offset };
    this.#command("subscribe", from, (error, result) => {
      if (this.#channels.get(channel) !== at || error === LOST) return;
      if (error?.temporary) {
        setTimeout(() => { if (this.#open && this.#channels.get(channel) === at) this.#subscribe(channel); }, backoff(0));
      } else if (error) {
        this.#channels.delete(channel);
        at.on.refused(error);
      } else {
        at.epoch = result.epoch;
        at.offset = result.offset ?? 0;
        if (result.recovered) this.#deliver(at, result.publications ?? [], true); else at.on.gap();
      }
    });
  }

  #deliver(at, publications, recovered) {
    for (const publication of publications) at.offset = publication.offset;
    at.on.events(publications, recovered, { epoch: at.epoch, offset: at.offset });
  }

  #command(method, params, done) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return done(LOST);
    const id = this.#next++;
    this.#waiting.set(id, { method, done });
    this.#socket.send(JSON.stringify({ id, [method]: params }));
  }

  #reply(reply) {
    if (reply.id) {
      const command = this.#waiting.get(reply.id);
      this.#waiting.delete(reply.id);
      command?.done(reply.error ?? null, reply[command.method]);
    } else if (reply.push) {
      const at = this.#channels.get(reply.push.channel);
      if (at && reply.push.pub) this.#deliver(at, [reply.push.pub], false);
      if (at && reply.push.unsubscribe) {
        const { code, reason } = reply.push.unsubscribe;
        if (code >= 2500) return this.#subscribe(reply.push.channel);
        this.#channels.delete(reply.push.channel);
        at.on.refused({ code, message: reason });
      }
    } else if (this.#pong) {
      this.#socket.send("{}");
    }
  }

  /* Anything that comes is a sign of life. */
  #listen() {
    clearTimeout(this.#silence);
    if (this.#open && this.#ping === 0) return;
    this.#silence = setTimeout(() => {
      this.#drop();
      this.#again(backoff(this.#tries++), { code: 2, message: "no ping" });
    }, this.#ping * 1000 + SILENCE);
  }

  #refused(error) {
    this.#drop();
    if (error.temporary) this.#again(backoff(this.#tries++), error); else this.#told("closed", error);
  }

  #closed(code, reason) {
    const opened = this.#open;
    this.#drop();
    const final = (code >= 3500 && code < 4000) || (code >= 4500 && code < 5000);
    if (final) this.#told("closed", { code, message: reason, hello: !opened });
    else this.#again(backoff(this.#tries++), { code, message: reason });
  }

  #again(pause, why) {
    this.#told("waiting", { pause, ...why });
    this.#timer = setTimeout(() => this.connect(), pause);
  }

  #drop() {
    clearTimeout(this.#timer);
    clearTimeout(this.#silence);
    this.#open = false;
    const socket = this.#socket;
    this.#socket = null;
    if (socket) {
      socket.onopen = socket.onmessage = socket.onclose = null;
      socket.close();
    }
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { done } of waiting) done(LOST);
  }
}
