-- What every script does last: write back what it changed, publish, count, and wake one worker if any is free to take what
-- waits. The next is woken by the one that was. A queue's gate is shut while it is paused, has as many active jobs as
-- it may, or has used up its rate.
local function gate()
  if settings.paused then return 0, -1 end
  local most, wait = math.huge, -1
  if settings.max_active then most = settings.max_active - call('ZCARD', base .. 'active') end
  if settings.rate_jobs then
    local full_at = counted.full_at
    local free, pause = allowance(full_at, settings.rate_jobs, settings.rate_ms)
    if free < most then most, wait = free, pause end
  end
  return math.max(0, most), wait
end

-- A command costs far more than a field, so that all counts are written with one, and read with one if need be.
local function write_counts()
  local names, fields = {}, {}
  for what, n in pairs(changes) do
    if n ~= 0 and not counted[what] then names[#names + 1] = what end
  end
  local held = #names > 0 and call('HMGET', base .. 'count', unpack(names)) or {}
  for i, what in ipairs(names) do counted[what] = tonumber(held[i]) or 0 end
  for what, n in pairs(changes) do
    if n ~= 0 then
      fields[#fields + 1] = what
      fields[#fields + 1] = int(counted[what] + n)
    end
  end
  if sequence ~= counted.sequence then
    fields[#fields + 1] = 'sequence'
    fields[#fields + 1] = int(sequence)
  end
  if due_at ~= counted.due then
    fields[#fields + 1] = 'due'
    fields[#fields + 1] = int(due_at)
  end
  if #fields > 0 then call('HSET', base .. 'count', unpack(fields)) end
end

local function write_counters()
  write_counts()
  for field, n in pairs(tenant_changes) do
    if n ~= 0 and call('HINCRBY', base .. 'tenants', field, n) <= 0 then
      call('HDEL', base .. 'tenants', field)
    end
  end
end

local function finish()
  write_back()
  if fallen_due then look_for_due() end
  write_counters()
  -- The rings and not the counter say whether anything can be taken.
  local waits = next(ringed) ~= nil or call('EXISTS', base .. 'ring:0', base .. 'ring:1', base .. 'ring:2') > 0
  if waits and call('LLEN', base .. 'wake') == 0 and gate() > 0 then call('LPUSH', base .. 'wake', '1') end
end
