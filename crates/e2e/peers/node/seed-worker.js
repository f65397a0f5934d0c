// The worker of the seed's stack. It has no work to do but to publish the result.
'use strict';

const { Worker } = require('bullmq');
const Redis = require('ioredis');
const { settings, say, connection } = require('./settings');
const { CHANNEL, QUEUE, RETENTION } = require('./seed');

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
    ...RETENTION,
  });
  worker.on('error', (error) => console.error(error));
  await worker.waitUntilReady();
  say({ ready: true });
}

main();
