-- One bounded step of maintenance. Claims promote and sweep too, so nothing stops without a manager; a manager
-- does it when all workers are busy, and forgets what is past its time.
--@transitions
local most = number()
fallen_due = true
local promoted, swept, late = promote(most), sweep(most), expire(most)
local pruned = 0
write_back()
for state in pairs(keep_ms) do
  local _, jobs = prune(state, most)
  pruned = pruned + jobs + trim_finished(state, most)
end
look_aside(function() return false end, most)
call('ZREMRANGEBYSCORE', base .. 'workers', '-inf', int(now - 3600000))
finish()

local set = call('HLEN', base .. 'settings')
if set ~= counted.settings then call('HSET', base .. 'count', 'settings', set) end
-- Where nothing waits and nothing runs the counters are known: set right, should keys have been lost.
local function none(key) return call('EXISTS', base .. key) == 0 end
if none('active') and none('delayed') and none('parked') and none('asides') and none('ring:0') and none('ring:1') and
  none('ring:2') then
  call('UNLINK', base .. 'tenants')
  local left = call('HMGET', base .. 'count', 'waiting', 'bytes')
  if (left[1] and left[1] ~= '0') or (left[2] and left[2] ~= '0') then
    call('HSET', base .. 'count', 'waiting', 0, 'bytes', 0)
  end
end
for state in pairs(keep_ms) do
  if none(state) then call('HDEL', base .. 'count', state .. '_bytes', state .. '_more') end
end
if none('active') then call('HDEL', base .. 'count', 'active_more') end
return { promoted, swept, late, pruned }
