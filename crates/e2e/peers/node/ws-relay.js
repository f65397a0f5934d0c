// A minimal gateway: `ws`, which relays a channel of Redis to every socket.
'use strict';

const http = require('node:http');
const Redis = require('ioredis');
const { WebSocketServer } = require('ws');
const fanOut = require('./fan-out');
const { settings, say, connection } = require('./settings');

const subscriber = new Redis(connection());
const server = http.createServer();
const sockets = new WebSocketServer({ server, perMessageDeflate: false });

sockets.on('connection', (socket) => {
  socket.on('error', () => socket.terminate());
});

if (settings.corked) {
  fanOut.corked(sockets, subscriber);
} else {
  fanOut.plain(sockets, subscriber);
}

async function main() {
  await subscriber.subscribe(settings.channel);
  server.listen(0, '127.0.0.1', 10_000, () => say({ port: server.address().port }));
}

main();
