-- Waiting lines. A line is a sorted set of ids for one priority and tenant, by the place that each job got when it
-- first came in; so a job that comes back has its old place, and any job can be taken out. The ring of a priority
-- holds each tenant that has a line there and may be served, by whose turn it is.

-- What an operator has set for the queue. Absent fields mean no limit.
local settings
local function set(name) return settings[name] end
local function load_settings()
  if settings then return end
  local names = { 'paused', 'max_active', 'rate_jobs', 'rate_ms', 'max_waiting', 'max_bytes', 'tenant_max_active',
    'tenant_rate_jobs', 'tenant_rate_ms', 'tenant_max_waiting', 'overrides' }
  local values = redis.call('HMGET', base .. 'settings', unpack(names))
  settings = {}
  for i, name in ipairs(names) do settings[name] = tonumber(values[i]) end
end

-- A tenant's own limits, where it has any, before those for all tenants.
local tenant_limits = {}
local function limits_of(tenant)
  local limits = tenant_limits[tenant]
  if limits then return limits end
  limits = { max_active = set('tenant_max_active'), rate_jobs = set('tenant_rate_jobs'),
    rate_ms = set('tenant_rate_ms'), max_waiting = set('tenant_max_waiting') }
  if set('overrides') then
    local own = redis.call('HGET', base .. 'overrides', tenant)
    if own then
      for name, value in string.gmatch(own, '([a-z_]+)=(%d+)') do limits[name] = tonumber(value) end
    end
  end
  tenant_limits[tenant] = limits
  return limits
end

-- Places and turns are numbers out of one sequence.
local sequence, sequence_used
local function next_number()
  if not sequence then sequence = tonumber(redis.call('HGET', base .. 'count', 'sequence') or 0) end
  sequence, sequence_used = sequence + 1, true
  return sequence
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

local ringed = {}
local function to_ring(priority, tenant)
  local name = priority .. ':' .. tenant
  if ringed[name] then return end
  ringed[name] = true
  redis.call('ZADD', base .. 'ring:' .. priority, 'NX', next_number(), tenant)
end

-- Members of sorted sets are collected, and added together.
local additions = {}
local function add(key, score, member)
  local list = additions[key]
  if not list then
    list = {}
    additions[key] = list
  end
  list[#list + 1] = score
  list[#list + 1] = member
end
local function write_additions()
  for key, list in pairs(additions) do in_pieces('ZADD', base .. key, list) end
  additions = {}
end

-- `place` is the job's old one, where it has been in line before.
local function enlist(id, priority, tenant, place, bytes)
  add('wait:' .. priority .. ':' .. tenant, place, id)
  to_ring(priority, tenant)
  change('waiting', 1)
  change('bytes', bytes)
  change_tenant('w', tenant, 1)
end

-- Counts a job out that has left its line, or the delayed ones.
local function leave_line(tenant, bytes)
  change('waiting', -1)
  change('bytes', -bytes)
  change_tenant('w', tenant, -1)
end
local function leave_delayed(tenant, bytes)
  change('bytes', -bytes)
  change_tenant('w', tenant, -1)
end

-- A tenant that may have no more jobs now is parked until then, so that it costs no claim anything; a second at most,
-- should its limits be changed.
local function park(tenant, wait)
  redis.call('ZADD', base .. 'parked', int(now + math.min(wait, 1000)), tenant)
end
local function unpark(tenant)
  for priority = 0, 2 do
    if redis.call('ZCARD', base .. 'wait:' .. priority .. ':' .. tenant) > 0 then to_ring(priority, tenant) end
  end
end

-- Jobs of a kind that the worker which met them does not know, and another live one does, are set aside for that.
local function set_aside(id, kind, place)
  redis.call('ZADD', base .. 'aside:' .. kind, place, id)
  redis.call('SADD', base .. 'asides', kind)
end

-- A message to one worker. A worker that is gone leaves nothing behind.
local function tell(worker, message)
  local inbox = base .. 'inbox:' .. worker
  redis.call('RPUSH', inbox, message)
  redis.call('LTRIM', inbox, -1000, -1)
  redis.call('PEXPIRE', inbox, 60000)
end

-- Writes back what was collected. What is read after it is what Redis holds.
local function write_back()
  close_logs()
  write_additions()
  write_jobs()
end
