-- What every script does last: write back what it changed, publish, count, and wake one worker if any is free to take what
-- waits. The next is woken by the one that was. A queue's gate is shut while it is paused, has as many active jobs as
-- it may, or has used up its rate.
local function gate()
  if settings.paused then return 0, -1 end
  local most, wait = math.huge, -1
  if settings.max_active then most = settings.max_active - call('ZCARD', base .. 'active') - more_of('active') end
  if settings.rate_jobs then
    local full_at = counted.full_at
    local free, pause = allowance(full_at, settings.rate_jobs, settings.rate_ms)
    if free < most then most, wait = free, pause end
  end
  return math.max(0, most), wait
end

local function finish()
  write_back()
  if fallen_due then look_for_due() end
  write_counters()
  -- The rings and not the counter say whether anything can be taken.
  local waits = next(ringed) ~= nil or call('EXISTS', base .. 'ring:0', base .. 'ring:1', base .. 'ring:2') > 0
  if waits and gate() > 0 then wake() end
end
