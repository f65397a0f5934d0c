-- Waiting lines. A line is a sorted set of ids for one priority and tenant, by the place that each job got when it
-- first came in; so a job that comes back has its old place, and any job can be taken out. The ring of a priority
-- holds each tenant that has a line there and may be served, by whose turn it is.

-- A tenant's own limits, where it has any, before those for all tenants.
local tenant_limits = {}
local function limits_of(tenant)
  local limits = tenant_limits[tenant]
  if limits then return limits end
  limits = { max_active = settings.tenant_max_active, rate_jobs = settings.tenant_rate_jobs,
    rate_ms = settings.tenant_rate_ms, max_waiting = settings.tenant_max_waiting }
  if settings.overrides then
    local own = call('HGET', base .. 'overrides', tenant)
    if own then
      for name, value in string.gmatch(own, '([a-z_]+)=(%d+)') do limits[name] = tonumber(value) end
    end
  end
  tenant_limits[tenant] = limits
  return limits
end

-- Says anew when something falls due: not long from now, should something have been lost.
local function look_for_due()
  due_at = now + 5000
  for key in pairs(DUE) do
    local first = tonumber(call('ZRANGE', base .. key, 0, 0, 'WITHSCORES')[2])
    if first and first < due_at then due_at = first end
    -- Whether any tenant may be parked.
    if key == 'parked' and not first and counted.parked > 0 then change('parked', -counted.parked) end
  end
end

-- A rate is kept as the time at which its bucket will be full again: a bucket of `jobs`, filled in `per` ms.
-- Says how many may start now, and in how many milliseconds the next may.
local function allowance(full_at, jobs, per)
  local each = per / jobs
  local level = math.max(full_at, now) - now
  local free = math.floor((per - level) / each + 0.000001)
  return free, math.max(0, math.ceil(level + each - per))
end
local function spend(full_at, jobs, per, taken)
  return math.max(full_at, now) + taken * per / jobs
end

local function add(key, score, member)
  local list = additions_to(key)
  list[#list + 1] = score
  list[#list + 1] = member
  if DUE[key] and tonumber(score) < due_at then due_at = tonumber(score) end
end

-- `place` is the job's old one, where it has been in line before.
local function enlist(id, priority, tenant, place, bytes)
  add('wait:' .. priority .. ':' .. tenant, place, id)
  to_ring(priority, tenant)
  change('waiting', 1)
  change('bytes', bytes)
  change_tenant('w', tenant, 1)
end

-- Counts jobs out that have left their line, or the delayed ones.
local function leave_line(tenant, bytes, n)
  n = n or 1
  change('waiting', -n)
  change('bytes', -bytes)
  change_tenant('w', tenant, -n)
end
local function leave_delayed(tenant, bytes)
  change('bytes', -bytes)
  change_tenant('w', tenant, -1)
end

-- A tenant that may have no more jobs now is parked until then, so that it costs no claim anything; a second at most,
-- should its limits be changed.
local function park(tenant, wait)
  local until_then = now + math.min(wait, 1000)
  call('ZADD', base .. 'parked', int(until_then), tenant)
  if until_then < due_at then due_at = until_then end
  if counted.parked + (changes.parked or 0) < 1 then change('parked', 1) end
end
local function unpark(tenant)
  for priority = 0, 2 do
    if call('ZCARD', base .. 'wait:' .. priority .. ':' .. tenant) > 0 then to_ring(priority, tenant) end
  end
end

-- Jobs of a kind that the worker which met them does not know, and another live one does, are set aside for that.
local function set_aside(id, kind, place)
  call('ZADD', base .. 'aside:' .. kind, place, id)
  call('SADD', base .. 'asides', kind)
end

-- A message to one worker. A worker that is gone leaves nothing behind.
local function tell(worker, message)
  local inbox = base .. 'inbox:' .. worker
  call('RPUSH', inbox, message)
  call('LTRIM', inbox, -1000, -1)
  call('PEXPIRE', inbox, 60000)
end

-- Writes back what was collected. What is read after it is what Redis holds.
local function write_back()
  close_logs()
  write_additions()
  write_jobs()
end
