// What the processes of the seed's stack agree on.
'use strict';

module.exports = {
  QUEUE: 'chat',
  CHANNEL: 'chat',
  // What is kept of finished jobs, as this project keeps it.
  RETENTION: {
    removeOnComplete: { count: 100_000, age: 24 * 3600 },
    removeOnFail: { count: 100_000, age: 24 * 3600 },
  },
};
