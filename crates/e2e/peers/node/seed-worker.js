// The worker of the seed's stack. It has no work to do but to publish the result.
'use strict';

const { Worker } = require('bullmq');
const Redis = require('ioredis');
const { settings, say, connection } = require('./settings');
const { CHANNEL, QUEUE } = require('./seed');

/** What is kept of finished jobs, as this project keeps it. */
const KEPT = { count: 100_000, age: 24 * 3600 };

const publisher = new Redis(connection());

async function run(job) {
  const result = { msg: job.data.text, time: Date.now() };
  await publisher.publish(CHANNEL, JSON.stringify(result));
  return result;
}

async function main() {
  const worker = new Worker(QUEUE, run, {
    connection: connection(),
    concurrency: settings.concurrency,
    removeOnComplete: KEPT,
    removeOnFail: KEPT,
  });
  worker.on('error', (error) => console.error(error));
  await worker.waitUntilReady();
  say({ ready: true });
}

main();
