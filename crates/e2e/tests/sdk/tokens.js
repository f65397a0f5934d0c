// Tokens of connections and channels: asked for, renewed while the session goes on, and refused.
'use strict';

const { client, connected, event, refused, run, token } = require('./sdk');

const end = async (options) => {
  const one = client(options);
  const ended = event(one, 'disconnected');
  one.connect();
  return (await ended).code;
};

run(async () => {
  // Two seconds each: the SDK asks for another when one is over.
  let tokens = 0;
  const names = new Set();
  let losses = 0;
  const renewing = client({
    getToken: async () => {
      tokens += 1;
      return token({ sub: 'ada', info: { name: 'Ada' } }, 2);
    },
  });
  renewing.on('connecting', () => { losses += 1; });
  renewing.on('connected', ({ client: name }) => names.add(name));
  const open = event(renewing, 'connected');
  renewing.connect();
  await open;

  let channelTokens = 0;
  const channel = '$room:vault';
  const vault = renewing.newSubscription(channel, {
    getToken: async () => {
      channelTokens += 1;
      if (channelTokens > 3) {
        enough();
      }
      return token({ sub: 'ada', channel, info: { seat: 7 } }, 2);
    },
  });
  let enough;
  const renewed = new Promise((resolve) => { enough = resolve; });
  let interruptions = 0;
  vault.on('subscribing', () => { interruptions += 1; });
  vault.subscribe();
  await vault.ready(5000);
  await renewed;
  const live = event(vault, 'publication');
  await vault.publish('after all these tokens');
  const { info } = await live;

  // An expired token is no end where there is a way to get another.
  let asked = 0;
  const late = client({
    token: token({ sub: 'ada' }, -10),
    getToken: async () => {
      asked += 1;
      return token({ sub: 'ada' });
    },
  });
  const fresh = event(late, 'connected');
  late.connect();
  await fresh;

  const mallory = await connected({ token: token({ sub: 'mallory' }) });
  const job = (await renewing.rpc('job.submit', {
    queue: 'chat', kind: 'stream', payload: { chunks: 100000, pause_ms: 5 },
  })).data;
  const which = { queue: 'chat', id: job.id };
  const subscription = async (name, options) => {
    const one = mallory.newSubscription(name, options);
    const ended = event(one, 'unsubscribed');
    one.subscribe();
    return (await ended).code;
  };
  const others = {
    get: await refused(mallory.rpc('job.get', which)),
    cancel: await refused(mallory.rpc('job.cancel', which)),
    retry: await refused(mallory.rpc('job.retry', which)),
    history: await refused(mallory.history(job.channel, { limit: 1 })),
    subscribe: await subscription(job.channel),
    vault: await subscription(channel),
    forged: await subscription('$room:other', { token: `${token({ sub: 'mallory', channel: '$room:other' })}x` }),
  };
  await renewing.rpc('job.cancel', which);

  const ends = {
    none: await end({}),
    forged: await end({ token: `${token({ sub: 'ada' })}x` }),
    expired: await end({ token: token({ sub: 'ada' }, -10) }),
    // A channel's token is none for a connection.
    channel: await end({ token: token({ sub: 'ada', channel }) }),
  };
  return {
    tokens, channelTokens, sessions: names.size, losses, interruptions, asked, others, ends,
    info: { user: info.user, connInfo: info.connInfo, chanInfo: info.chanInfo },
  };
});
