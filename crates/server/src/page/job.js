/* A job: handed in over a session, followed by its events. */

const QUEUE = "chat";
const MOST_EVENTS = 2_000;
/* How long a job may wait before the page says that it does. */
const PATIENCE = 3_000;
const STATES = {
  submitting: "Handing in…", queued: "Waiting for a worker", active: "Running", retrying: "Waiting to be tried again",
  cancelling: "Cancelling…", completed: "Completed", failed: "Failed", cancelled: "Cancelled",
};
const isOver = (state) => ["completed", "failed", "cancelled", "refused"].includes(state);

/* A job's id is a ULID. A client that chooses it can hand in again what it got no answer for: it stays one job. */
function newId() {
  const digits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
  let time = Date.now();
  let text = "";
  for (let place = 0; place < 10; place += 1) {
    text = digits[time % 32] + text;
    time = Math.floor(time / 32);
  }
  for (const byte of crypto.getRandomValues(new Uint8Array(16))) text += digits[byte % 32];
  return text;
}

class Job {
  #session; #view; #payload; #channel = ""; #next = 1; #missing = 0; #twice = 0; #recovered = 0; #from = 0;
  #followed = false; #timer = 0;
  id = newId();
  state = "submitting";

  constructor(session, view, payload) {
    this.#session = session;
    this.#view = view;
    this.#payload = payload;
    view.clear();
    this.#become("submitting");
    this.submit();
  }

  /* Hands it in; also again, after a connection that was lost before the answer came. */
  async submit() {
    if (this.state !== "submitting") return;
    const job = { queue: QUEUE, kind: "demo", id: this.id, payload: this.#payload };
    let accepted;
    try {
      accepted = await this.#session.rpc("job.submit", job);
    } catch (error) {
      if (error !== LOST && this.state === "submitting") this.#end("refused", error);
      return;
    }
    if (this.state !== "submitting") return;
    this.#channel = accepted.channel;
    this.#view.channel(accepted.channel);
    this.#view.position(accepted);
    this.#become("queued");
    this.#timer = setTimeout(() => this.#view.note("No worker has taken it yet. Is one running?"), PATIENCE);
    /* The channel is the job's own, so its log is read from the beginning. In one that others use too, what comes of the
       job begins behind `accepted.offset`. */
    this.#session.follow(accepted.channel, { epoch: accepted.epoch, offset: 0 }, {
      events: (publications, recovered, at) => this.#events(publications, recovered, at),
      gap: () => this.#look(),
      refused: (error) => { this.#view.problem(error); this.#look(); },
    });
  }

  async cancel() {
    try {
      const { outcome } = await this.#session.rpc("job.cancel", { queue: QUEUE, id: this.id });
      if (outcome === "requested" && !isOver(this.state)) this.#become("cancelling");
    } catch (error) {
      this.#view.problem(error);
    }
  }

  /* The connection was lost; what comes first when it is back was missed. */
  lost() {
    if (!isOver(this.state) && this.#channel !== "") this.#view.note("The connection is lost.");
  }

  #events(publications, recovered, at) {
    /* What comes with the first subscription was not missed. */
    const catching = recovered && this.#followed;
    this.#followed = true;
    if (catching) {
      const count = publications.length;
      this.#recovered += count;
      this.#view.recovered(this.#recovered);
      this.#view.note(count === 0 ? "Back. Nothing was missed." : `Back. Recovered from the log: ${count} events.`);
    }
    for (const { offset, data } of publications) this.#event(offset, data, catching);
    this.#view.position(at);
  }

  #event(offset, event, recovered) {
    this.#view.event(offset, event, recovered);
    if (offset <= this.#from) return;
    switch (event.type) {
      case "started":
        clearTimeout(this.#timer);
        /* What earlier attempts put out is void. */
        this.#from = event.from ?? 0;
        this.#next = 1;
        this.#view.restart();
        this.#become("active", event.attempt > 1 ? `Running, attempt ${event.attempt}` : "");
        break;
      case "progress": this.#view.progress(event.data); break;
      case "chunk": this.#chunk(event.data, recovered); break;
      case "retrying": this.#become("retrying"); break;
      case "completed": this.#view.progress(100); this.#end("completed", null); break;
      case "failed": this.#end("failed", event.error); break;
      case "cancelled": this.#end("cancelled", null); break;
    }
  }

  #chunk({ n, text }, recovered) {
    if (n < this.#next) {
      this.#twice += 1;
    } else {
      this.#missing += n - this.#next;
      this.#next = n + 1;
      this.#view.output(text, recovered);
    }
    this.#view.counts(this.#missing, this.#twice);
  }

  /* The log no longer tells what became of it, but the job may. */
  async #look() {
    this.#view.note("The log no longer has all that came since. Here is where the job is now.");
    try {
      const { state, error } = await this.#session.rpc("job.get", { queue: QUEUE, id: this.id });
      if (isOver(state)) this.#end(state, error); else if (STATES[state]) this.#become(state);
    } catch (error) {
      if (error !== LOST) this.#end("refused", error);
    }
  }

  #end(state, error) {
    clearTimeout(this.#timer);
    this.#become(state);
    if (error) this.#view.problem(error);
    if (this.#channel !== "") this.#session.unfollow(this.#channel);
  }

  #become(state, text) {
    this.state = state;
    this.#view.state(state, text || STATES[state] || "Refused");
  }
}
