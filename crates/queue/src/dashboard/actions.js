/* What may be done to one job or one queue: says what it did, and how to undo it where that is possible. */

import { path, post, remove } from "./api.js";
import { complain, toast } from "./toast.js";

/* In which states a job may be asked to do what. The API decides; this only hides what it would refuse. */
export const ALLOWED = {
  retry: ["failed", "cancelled"],
  cancel: ["waiting", "delayed", "active"],
  run_now: ["delayed"],
  delete: ["waiting", "delayed", "completed", "failed", "cancelled"],
};

export const VERBS = {
  retry: { name: "Retry", doing: "Retrying", done: "will run again" },
  cancel: { name: "Cancel", doing: "Cancelling", done: "cancelled" },
  run_now: { name: "Run now", doing: "Letting run", done: "will run as soon as a worker is free" },
  delete: { name: "Delete", doing: "Deleting", done: "deleted" },
};

/* How long a deletion can be taken back, which is before it is sent. */
const GRACE_MS = 5_000;

const WAY = { retry: "retry", cancel: "cancel", run_now: "run-now" };

export const send = (verb, queue, id) => (verb === "delete"
  ? remove(path`queues/${queue}/jobs/${id}`)
  : post(`${path`queues/${queue}/jobs/${id}`}/${WAY[verb]}`));

/* Does it to a job; `after()` is called once it is done, and again when it is undone. */
export const act = async (verb, { queue, id, kind }, after = () => {}) => {
  if (verb === "delete") {
    erase(queue, id, kind, after);
    return;
  }
  try {
    const { outcome } = await send(verb, queue, id);
    const undo = verb === "cancel" && outcome === "done" && { text: "Undo", run: () => act("retry", { queue, id, kind }, after) };
    toast(outcome === "asked" ? `The worker was asked to stop ${kind}.` : `${kind} ${VERBS[verb].done}.`, { action: undo || undefined });
    after();
  } catch (problem) {
    complain(`${VERBS[verb].name} of ${kind} did not work`, problem);
    after();
  }
};

/* Nothing brings a deleted job back, so it is sent late. */
const erase = (queue, id, kind, after) => {
  const timer = setTimeout(async () => {
    close();
    try {
      await send("delete", queue, id);
      toast(`${kind} was deleted.`);
      after(true);
    } catch (problem) {
      complain(`${kind} was not deleted`, problem);
    }
  }, GRACE_MS);
  const close = toast(`${kind}, its result and its log will be deleted in ${GRACE_MS / 1000} seconds.`, {
    lasts: GRACE_MS,
    action: { text: "Undo", timed: true, run: () => {
      clearTimeout(timer);
      toast("Nothing was deleted.");
    } },
  });
};

export const setPriority = async ({ queue, id }, priority, after) => {
  try {
    await post(path`queues/${queue}/jobs/${id}/priority`, { body: { priority } });
    toast(`It waits in the line of ${priority} priority now.`);
  } catch (problem) {
    complain("The priority was not changed", problem);
  }
  after();
};

/* Pauses a queue or lets it go on. */
export const setPaused = async (queue, paused, after = () => {}) => {
  try {
    await post(`${path`queues/${queue}`}/${paused ? "pause" : "resume"}`);
    toast(paused ? `${queue} is paused. What runs goes on; nothing else starts.` : `${queue} runs again.`,
      { action: { text: paused ? "Resume" : "Pause again", run: () => setPaused(queue, !paused, after) } });
  } catch (problem) {
    complain(`${queue} was not ${paused ? "paused" : "resumed"}`, problem);
  }
  after();
};
