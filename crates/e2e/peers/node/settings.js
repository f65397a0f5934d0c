// What a program was started with: JSON, as its only argument.
'use strict';

const settings = JSON.parse(process.argv[2] ?? '{}');

/** Says one thing to whoever started the program. */
function say(what) {
  process.stdout.write(`${JSON.stringify(what)}\n`);
}

/**
 * Options of a connection to Redis.
 *
 * Automatic pipelining of ioredis stays off: it was tried, and cost each process a tenth more.
 */
function connection() {
  const url = new URL(settings.redis);
  return {
    host: url.hostname,
    port: Number(url.port),
    // What BullMQ wants of its connections.
    maxRetriesPerRequest: null,
  };
}

module.exports = { settings, say, connection };
