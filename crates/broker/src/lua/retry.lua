-- Puts failed or cancelled jobs in line again, with all their attempts. Attempt numbers go on, since they fence.
--@transitions
local n = number()
local reply = {}
for i = 1, n do
  local id = arg()
  local key = base .. 'job:' .. id
  local job = read(id)
  if not job.state then
    reply[i] = 'missing'
  elseif job.state ~= 'failed' and job.state ~= 'cancelled' then
    reply[i] = job.state
  else
    redis.call('ZREM', base .. job.state, id)
    change(job.state .. '_bytes', -(tonumber(redis.call('HGET', key, 'kept')) or 0))
    redis.call('HDEL', key, 'finished', 'error', 'due', 'cancel', 'kept', 'expires')
    redis.call('PERSIST', key)
    local place = int(next_number())
    redis.call('HSET', key, 'state', 'waiting', 'back', int(job.attempt), 'place', place)
    enlist(id, job.priority, job.tenant, place, job.bytes)
    if job.events == 'all' then append(job.topic, event('queued', id, job.kind, job.attempt)) end
    count('rerun')
    reply[i] = 'ok'
  end
end
finish()
return reply
