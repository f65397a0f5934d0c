-- Stores a batch of new jobs, says so on their channels, and wakes a worker: one step, so that an announcement
-- always comes before its result. A job whose id is there already is left alone, which makes the batch safe to
-- send again when its answer was lost.
local n = number()
local reply = {}
for i = 1, n do
  local id, kind, tenant, topic, priority = arg(), arg(), arg(), arg(), arg()
  local delay, attempts, events, payload, announce, meta = number(), arg(), arg(), arg(), arg(), arg()
  local key = base .. 'job:' .. id
  local fresh = redis.call('HSETNX', key, 'state', delay > 0 and 'delayed' or 'waiting')
  if fresh == 1 then
    redis.call('HSET', key, 'kind', kind, 'tenant', tenant, 'topic', topic, 'priority', priority, 'max', attempts,
      'events', events, 'payload', payload, 'created', int(now), 'attempt', 0, 'back', 0)
    if meta ~= '' then redis.call('HSET', key, 'meta', meta) end
    if delay > 0 then
      redis.call('HSET', key, 'due', int(now + delay))
      redis.call('ZADD', base .. 'delayed', int(now + delay), id)
    else
      enlist(id, priority, tenant, false)
    end
    count('enqueued')
    if events == 'all' or announce ~= '' then append(topic, event('queued', id, kind, 0, announce)) end
  end
  local log = open(topic)
  reply[i] = { 1 - fresh, log.epoch, log.offset }
end
finish()
return reply
