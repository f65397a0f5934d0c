// What the scripts share: a client, tokens, and a line of JSON at a time to and from the test.
'use strict';

const { createHmac } = require('node:crypto');
const { createInterface } = require('node:readline');
const { Centrifuge } = require('centrifuge');
const WebSocket = require('ws');

/** What the test wants: at least `url`, and `secret` where the server wants tokens. */
const settings = JSON.parse(process.argv[2]);

/** Tells the test something. */
const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);

/** A signed token. `seconds` is how long it is good. */
const token = (claims, seconds = 3600) => {
  const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const now = Math.floor(Date.now() / 1000);
  const head = encode({ alg: 'HS256', typ: 'JWT' });
  const text = `${head}.${encode({ iat: now, exp: now + seconds, ...claims })}`;
  return `${text}.${createHmac('sha256', settings.secret).update(text).digest('base64url')}`;
};

/** A client that comes back at once. */
const client = (options = {}) =>
  new Centrifuge(settings.url, {
    websocket: WebSocket, minReconnectDelay: 1, maxReconnectDelay: 100, ...options,
  });

/** The next event of this name that fits. */
const event = (emitter, name, fits = () => true) =>
  new Promise((resolve) => {
    const listener = (context) => {
      if (fits(context)) {
        emitter.off(name, listener);
        resolve(context);
      }
    };
    emitter.on(name, listener);
  });

/** A connected client, with its id in `id`. */
const connected = async (options) => {
  const one = client(options);
  const done = event(one, 'connected');
  one.connect();
  return Object.assign(one, { id: (await done).client });
};

/** The code of the error that a promise is rejected with. */
const refused = (promise) =>
  promise.then((value) => { throw new Error(`not refused: ${JSON.stringify(value)}`); }, (error) => error.code);

/** Calls back for each line that the test sends. */
const listen = (callback) => createInterface({ input: process.stdin }).on('line', callback);

/** Runs a scenario, and reports what it returns. */
const run = (scenario) => {
  scenario().then(
    (report) => process.stdout.write(`${JSON.stringify({ report })}\n`, () => process.exit(0)),
    (error) => process.stderr.write(`${error.stack}\n`, () => process.exit(1)),
  );
};

module.exports = { client, connected, event, listen, refused, run, say, settings, token };
