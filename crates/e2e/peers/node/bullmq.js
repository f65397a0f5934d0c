// BullMQ alone: adds no-op jobs in bulk, then processes them, and says what that took.
//
// Time is this program's, CPU and memory are Redis'.
'use strict';

const { Queue, Worker } = require('bullmq');
const Redis = require('ioredis');
const { settings, say, connection } = require('./settings');

/** How many jobs are added at a time: of 50 to 10,000, 250 to 1,000 took the least CPU. */
const CHUNK = 1_000;
/** How many jobs go before what is measured, so that everything is compiled. */
const WARM_UP = 2_000;

// Set at the worker only: what is set at a job is kept with each job, and costs memory.
const retention = { removeOnComplete: { count: settings.keep }, removeOnFail: { count: settings.keep } };
const watcher = new Redis(connection());

/** Seconds of CPU of Redis' main thread so far, and the bytes that it holds. */
async function redis() {
  const info = await watcher.info('cpu', 'memory');
  const field = (name) => Number(new RegExp(`^${name}:(.*)$`, 'm').exec(info)[1]);
  return {
    cpu: field('used_cpu_user_main_thread') + field('used_cpu_sys_main_thread'),
    memory: field('used_memory'),
  };
}

/** Adds jobs whose data is `payload` bytes of JSON. */
async function add(queue, count) {
  const data = { text: 'x'.repeat(settings.payload - JSON.stringify({ text: '' }).length) };
  for (let added = 0; added < count; added += CHUNK) {
    const length = Math.min(CHUNK, count - added);
    await queue.addBulk(Array.from({ length }, () => ({ name: 'nothing', data })));
  }
}

/** Processes so many jobs, until the last one is completed. */
async function work(name, count) {
  let worker;
  await new Promise((resolve, reject) => {
    let done = 0;
    worker = new Worker(name, async () => null, {
      connection: connection(),
      concurrency: settings.concurrency,
      ...retention,
    });
    worker.on('completed', () => {
      done += 1;
      if (done === count) {
        resolve();
      }
    });
    worker.on('failed', (_job, error) => reject(error));
    worker.on('error', reject);
  });
  return worker;
}

async function seconds(task) {
  const start = process.hrtime.bigint();
  const answer = await task();
  return [Number(process.hrtime.bigint() - start) / 1e9, answer];
}

async function both(name, jobs) {
  const queue = new Queue(name, { connection: connection() });
  await queue.waitUntilReady();
  const empty = await redis();
  const [addSeconds] = await seconds(() => add(queue, jobs));
  const waiting = await redis();
  const [processSeconds, worker] = await seconds(() => work(name, jobs));
  const finished = await redis();
  await worker.close();
  await queue.close();
  return {
    add_seconds: addSeconds,
    process_seconds: processSeconds,
    add_cpu: waiting.cpu - empty.cpu,
    process_cpu: finished.cpu - waiting.cpu,
    memory_empty: empty.memory,
    memory_waiting: waiting.memory,
    memory_finished: finished.memory,
  };
}

async function main() {
  await both('warm-up', WARM_UP);
  say(await both('jobs', settings.jobs));
  await watcher.quit();
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
