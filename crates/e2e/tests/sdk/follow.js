// Follows one job to its end, whatever happens to the connection, and says what came and whether any rule was broken.
//
// Settings: `payload` of the job, and `server` where the server is to subscribe the client. The test hears of each
// subscription and each piece of output; the line `cancel` from it ends the job.
'use strict';

const { client, connected, event, listen, run, say, settings } = require('./sdk');

run(async () => {
  const one = client({ timeout: 2000, minReconnectDelay: 1, maxReconnectDelay: 100 });
  const opened = event(one, 'connected');
  one.connect();
  await opened;

  const report = { events: 0, subscribed: 0, unrecovered: 0, wrong: [], types: {}, attempts: [], output: [] };
  let last = 0;
  let finish;
  const over = new Promise((resolve) => { finish = resolve; });
  const publication = ({ offset, data }) => {
    report.events += 1;
    report.types[data.type] = (report.types[data.type] || 0) + 1;
    if (offset !== last + 1) {
      report.wrong.push([last, offset]);
    }
    last = offset;
    if (data.type === 'started') {
      report.attempts.push(data.attempt);
      say({ started: report.attempts.length });
      // What earlier attempts put out is void.
      report.output = report.output.filter((piece) => piece.offset > data.from);
    } else if (data.type === 'chunk') {
      report.output.push({ offset, piece: data.data });
      say({ chunk: report.events });
    } else if (['completed', 'failed', 'cancelled'].includes(data.type)) {
      report.end = data;
      finish();
    }
  };
  const subscribed = ({ wasRecovering, recovered }) => {
    report.subscribed += 1;
    if (wasRecovering && !recovered) {
      report.unrecovered += 1;
    }
    say({ subscribed: report.subscribed });
  };
  if (settings.server) {
    one.on('publication', publication).on('subscribed', subscribed);
  }
  const job = (await one.rpc('job.submit', {
    queue: 'chat', kind: 'stream', payload: settings.payload, subscribe: Boolean(settings.server),
  })).data;
  if (!settings.server) {
    const subscription = one.newSubscription(job.channel, {
      since: { offset: 0, epoch: job.epoch }, minResubscribeDelay: 1, maxResubscribeDelay: 100,
    });
    subscription.on('publication', publication).on('subscribed', subscribed);
    subscription.on('unsubscribed', (context) => { report.wrong.push(context); finish(); });
    subscription.subscribe();
  }
  // By a client of its own, whose connection nobody cuts.
  listen(async () => {
    const other = await connected();
    await other.rpc('job.cancel', { queue: 'chat', id: job.id });
  });
  await over;
  report.output = report.output.map(({ piece }) => piece);
  return report;
});
