-- One bounded step of maintenance. Claims promote and sweep too, so nothing stops without a manager; a manager
-- does it when all workers are busy, and forgets what is past its time.
local keep_completed_ms, keep_failed_ms, keep_most = number(), number(), number()
--@transitions
local most = number()
local promoted, swept = promote(most), sweep(most)
local pruned = 0
for state, keep in pairs({ completed = keep_completed_ms, failed = keep_failed_ms, cancelled = keep_completed_ms }) do
  local old = redis.call('ZRANGE', base .. state, '-inf', int(now - keep), 'BYSCORE', 'LIMIT', 0, most)
  for _, id in ipairs(old) do
    redis.call('ZREM', base .. state, id)
    forget(id)
  end
  pruned = pruned + #old + trim_finished(state, keep_most, most)
end
finish()

-- The counter of waiting jobs is set right, should a key have been lost. Far too many tenants to look at are left be.
local waiting, tenants = 0, 0
for priority = 0, 2 do
  for _, tenant in ipairs(redis.call('LRANGE', base .. 'ring:' .. priority, 0, 1000)) do
    waiting = waiting + redis.call('LLEN', base .. 'wait:' .. priority .. ':' .. tenant)
    tenants = tenants + 1
  end
end
if tenants <= 1000 and waiting ~= tonumber(redis.call('HGET', base .. 'count', 'waiting') or 0) then
  redis.call('HSET', base .. 'count', 'waiting', waiting)
end
return { promoted, swept, pruned }
