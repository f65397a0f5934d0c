// Socket.IO with its Redis adapter. Every socket is put in one room, and what another process emits to that room
// comes through Redis.
'use strict';

const http = require('node:http');
const { createAdapter } = require('@socket.io/redis-adapter');
const Redis = require('ioredis');
const { Server } = require('socket.io');
const { settings, say, connection } = require('./settings');

const publisher = new Redis(connection());
const subscriber = new Redis(connection());
const server = http.createServer();
const io = new Server(server, {
  adapter: createAdapter(publisher, subscriber),
  transports: ['websocket'],
  serveClient: false,
  perMessageDeflate: false,
});

io.on('connection', (socket) => {
  // Recommended to save memory: the first request is not needed again.
  socket.conn.request = null;
  socket.join(settings.room);
});

async function main() {
  // The adapter subscribes by itself, without a word when that is done: its Redis answers in order.
  await Promise.all([publisher.ping(), subscriber.ping()]);
  server.listen(0, '127.0.0.1', 10_000, () => say({ port: server.address().port }));
}

main();
