// The gateway of the seed's stack: `ws`, BullMQ and Redis pub/sub.
//
// A text becomes a job; once that is stored, every client of every server gets the text, through Redis. Results come
// on the same channel, from the worker.
'use strict';

const http = require('node:http');
const { Queue } = require('bullmq');
const Redis = require('ioredis');
const { WebSocketServer } = require('ws');
const { corked } = require('./fan-out');
const { say, connection } = require('./settings');
const { CHANNEL, QUEUE } = require('./seed');

const queue = new Queue(QUEUE, { connection: connection() });
const publisher = new Redis(connection());
const subscriber = new Redis(connection());

const server = http.createServer();
const clients = new WebSocketServer({ server, perMessageDeflate: false });

clients.on('connection', (socket) => {
  socket.on('error', () => socket.terminate());
  socket.on('message', async (data) => {
    const text = data.toString();
    try {
      await queue.add('chat', { text });
      await publisher.publish(CHANNEL, text);
    } catch (error) {
      socket.send(JSON.stringify({ error: 'unavailable', message: error.message }));
    }
  });
});

corked(clients, subscriber);

async function main() {
  await queue.waitUntilReady();
  await subscriber.subscribe(CHANNEL);
  server.listen(0, '127.0.0.1', 10_000, () => say({ port: server.address().port }));
}

main();
