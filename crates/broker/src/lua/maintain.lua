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
return { promoted, swept, pruned }
