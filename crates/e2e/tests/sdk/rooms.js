// Two clients in rooms: what they say, who is there, what was said, and what is not for them.
'use strict';

const assert = require('node:assert/strict');
const { connected, event, refused, run } = require('./sdk');

const subscribe = async (client, channel, options) => {
  const subscription = client.newSubscription(channel, options);
  const done = Promise.race([event(subscription, 'subscribed'), event(subscription, 'unsubscribed')]);
  subscription.subscribe();
  return [subscription, await done];
};
const code = async (client, channel) => (await subscribe(client, channel))[1].code;

run(async () => {
  const [one, two] = [await connected(), await connected()];
  const [here, state] = await subscribe(one, 'room:a');
  assert.ok(state.recoverable && state.positioned && state.streamPosition.epoch);
  const joined = event(here, 'join', ({ info }) => info.client === two.id);
  const [there] = await subscribe(two, 'room:a');
  await joined;

  const texts = [];
  there.on('publication', (context) => texts.push(context));
  const all = event(there, 'publication', ({ data }) => data.n === 20);
  for (let n = 1; n <= 20; n++) {
    await here.publish({ n, text: 'ünï\n"' });
  }
  await all;
  const presence = Object.keys((await here.presence()).clients).length;
  const stats = await here.presenceStats();
  const newest = await here.history({ limit: 3, reverse: true });
  const since = await here.history({ limit: 100, since: { offset: 15, epoch: newest.epoch } });
  const position = await here.history({ limit: 0 });

  const left = event(here, 'leave');
  const gone = event(there, 'unsubscribed');
  there.unsubscribe();
  await Promise.all([left, gone]);
  // What it missed comes when it is back, and again when it lost its connection.
  await here.publish({ n: 21 });
  const missed = event(there, 'publication', ({ data }) => data.n === 21);
  there.subscribe();
  await missed;

  // Back to back, as the SDK's own tests do it.
  const [flip] = await subscribe(one, 'room:flip');
  for (let n = 0; n < 10; n++) {
    flip.unsubscribe();
    flip.subscribe();
  }
  await flip.ready(5000);
  const live = event(flip, 'publication');
  await flip.publish('still here');
  assert.equal((await live).data, 'still here');

  const refusals = {
    namespace: await code(one, 'nobody:a'),
    closed: await code(one, 'closed:a'),
    job: await code(one, 'chat:01ARZ3NDEKTSV4RRFFQ69G5FAV'),
    publish: await refused(one.publish('plain:a', 1)),
    presence: await refused(one.presence('plain:a')),
    history: await refused(one.history('plain:a', { limit: 1 })),
    epoch: await refused(here.history({ limit: 1, since: { offset: 1, epoch: 'other' } })),
  };
  return {
    offsets: texts.map(({ offset }) => offset), text: texts[0].data.text, by: texts[0].info.client === one.id,
    presence, stats, newest: newest.publications.map(({ offset }) => offset),
    since: since.publications.map(({ offset }) => offset), top: position.offset, nothing: position.publications.length,
    refusals,
  };
});
