// A job from its submit to its result, one that is cancelled, and verbs that are refused.
'use strict';

const assert = require('node:assert/strict');
const { connected, event, refused, run, settings, token } = require('./sdk');

const submit = (chunks, pause_ms, more = {}) =>
  ({ queue: 'chat', kind: 'stream', payload: { chunks, pause_ms }, ...more });
const call = async (client, method, data) => (await client.rpc(method, data)).data;
const over = (context) => ['completed', 'failed', 'cancelled'].includes(context.data.type);

/** Follows a channel from a place on; resolves with all of its publications up to one that ends it. */
const follow = async (client, channel, since, ends = over) => {
  const subscription = client.newSubscription(channel, { since });
  const seen = [];
  subscription.on('publication', (context) => seen.push(context));
  const end = event(subscription, 'publication', ends);
  subscription.subscribe();
  await end;
  return seen;
};
const shown = (seen) => seen.map(({ offset, data }) => ({ offset, type: data.type, data: data.data }));

run(async () => {
  const client = await connected(settings.secret ? { token: token({ sub: 'ada' }) } : {});

  const plain = await call(client, 'job.submit', submit(5, 20));
  const followed = shown(await follow(client, plain.channel, { offset: 0, epoch: plain.epoch }));
  const record = await call(client, 'job.get', { queue: 'chat', id: plain.id });

  // Subscribed to in the same step, by the server.
  const live = [];
  client.on('publication', (context) => live.push(context));
  const end = event(client, 'publication', over);
  const told = event(client, 'subscribed');
  const own = await call(client, 'job.submit', submit(5, 1, { subscribe: true }));
  assert.equal((await told).channel, own.channel);
  const released = event(client, 'unsubscribed');
  await end;
  assert.ok(live.every(({ channel }) => channel === own.channel));
  const seen = shown(live);
  // It ends with its job.
  assert.equal((await released).channel, own.channel);

  // The SDK can't know that it is subscribed to already; the server does.
  const held = await call(client, 'job.submit', submit(100000, 5, { subscribe: true }));
  const again = client.newSubscription(held.channel);
  const ended = event(again, 'unsubscribed');
  again.subscribe();
  const already = (await ended).code;
  await call(client, 'job.cancel', { queue: 'chat', id: held.id });

  const long = await call(client, 'job.submit', submit(100000, 5));
  const events = follow(client, long.channel, { offset: 0, epoch: long.epoch });
  await event(client.getSubscription(long.channel), 'publication', ({ data }) => data.type === 'chunk');
  await call(client, 'job.cancel', { queue: 'chat', id: long.id });
  const last = shown(await events).at(-1);

  // One that waits can be cancelled at once, and runs after all.
  const later = await call(client, 'job.submit', submit(1, 1, { options: { delay_ms: 3600000 } }));
  const done = await call(client, 'job.cancel', { queue: 'chat', id: later.id });
  await call(client, 'job.retry', { queue: 'chat', id: later.id });
  const retried = shown(await follow(client, later.channel, { offset: 0, epoch: later.epoch },
    ({ data }) => data.type === 'completed'));

  const refusals = {
    unknown: await refused(client.rpc('job.dance', {})),
    missing: await refused(client.rpc('job.get', { queue: 'chat', id: '01ARZ3NDEKTSV4RRFFQ69G5FAV' })),
    over: await refused(client.rpc('job.cancel', { queue: 'chat', id: plain.id })),
    invalid: await refused(client.rpc('job.submit', submit(1, 1, { options: { max_attempts: 0 } }))),
    queue: await refused(client.rpc('job.submit', { ...submit(1, 1), queue: 'other' })),
  };
  client.disconnect();
  return {
    followed, state: record.state, result: record.result, live: seen, already, last,
    cancelled: done.outcome, retried: retried.at(-1).type, refusals,
  };
});
