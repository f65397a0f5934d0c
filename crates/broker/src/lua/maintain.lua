-- One bounded step of maintenance. Claims promote and sweep too, so nothing stops without a manager; a manager
-- does it when all workers are busy, and forgets what is past its time.
--@transitions
local most = number()
local promoted, swept, late = promote(most), sweep(most), expire(most)
local pruned = 0
write_back()
for state in pairs(keep_ms) do pruned = pruned + prune(state, most) + trim_finished(state, most) end
look_aside(function() return false end, most)
redis.call('ZREMRANGEBYSCORE', base .. 'workers', '-inf', int(now - 3600000))
finish()

-- Where nothing waits and nothing runs the counters are known: set right, should keys have been lost.
local function none(key) return redis.call('EXISTS', base .. key) == 0 end
if none('active') and none('delayed') and none('parked') and none('asides') and none('ring:0') and none('ring:1') and
  none('ring:2') then
  redis.call('UNLINK', base .. 'tenants')
  local left = redis.call('HMGET', base .. 'count', 'waiting', 'bytes')
  if (left[1] and left[1] ~= '0') or (left[2] and left[2] ~= '0') then
    redis.call('HSET', base .. 'count', 'waiting', 0, 'bytes', 0)
  end
end
for state in pairs(keep_ms) do
  if none(state) then redis.call('HDEL', base .. 'count', state .. '_bytes') end
end
return { promoted, swept, late, pruned }
