// What the processes of the seed's stack agree on.
'use strict';

module.exports = {
  QUEUE: 'chat',
  CHANNEL: 'chat',
};
