// Passes what Redis publishes on to every socket of a server. Bytes in, the same bytes out: nothing is decoded.
'use strict';

/**
 * One write for each message and socket, as it is done everywhere.
 *
 * @param {import('ws').WebSocketServer} server
 * @param {import('ioredis').Redis} subscriber
 */
function plain(server, subscriber) {
  subscriber.on('messageBuffer', (_channel, message) => {
    for (const socket of server.clients) {
      if (socket.readyState === socket.OPEN) {
        socket.send(message, { binary: false });
      }
    }
  });
}

/**
 * What comes from Redis in one read goes to a socket in one write, which costs half or less where there is more than
 * one message. Few know of it.
 *
 * @param {import('ws').WebSocketServer} server
 * @param {import('ioredis').Redis} subscriber
 */
function corked(server, subscriber) {
  const streams = new Map();
  let held = false;

  server.on('connection', (socket, request) => {
    streams.set(socket, request.socket);
    socket.on('close', () => streams.delete(socket));
  });

  function release() {
    held = false;
    for (const stream of streams.values()) {
      stream.uncork();
    }
  }

  subscriber.on('messageBuffer', (_channel, message) => {
    const first = !held;
    if (first) {
      held = true;
      process.nextTick(release);
    }
    for (const [socket, stream] of streams) {
      if (first) {
        stream.cork();
      }
      if (socket.readyState === socket.OPEN) {
        socket.send(message, { binary: false });
      }
    }
  });
}

module.exports = { plain, corked };
