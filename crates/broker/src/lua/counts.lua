-- What is counted, what is due, and what will be added: what a script that changes a queue begins the long way with, and
-- writes back.

-- What is counted is collected while a script runs and written once, at its end.
local changes, tenant_changes = {}, {}
local function change(what, by) changes[what] = (changes[what] or 0) + by end
local function count(what) change(what, 1) end
local function change_tenant(what, tenant, by)
  local field = what .. ':' .. tenant
  tenant_changes[field] = (tenant_changes[field] or 0) + by
end

-- What is counted, as it was when the script began; what has no number yet is 0.
local COUNTED = { 'waiting', 'bytes', 'sequence', 'due', 'prune', 'settings', 'full_at', 'completed_bytes', 'enqueued',
  'completed', 'parked' }
local counted = {}
for i, text in ipairs(call('HMGET', base .. 'count', unpack(COUNTED))) do counted[COUNTED[i]] = tonumber(text) or 0 end

-- What an operator has set for the queue. Absent fields mean no limit.
local settings
local function load_settings()
  settings = {}
  local names = { 'paused', 'max_active', 'rate_jobs', 'rate_ms', 'max_waiting', 'max_bytes', 'tenant_max_active',
    'tenant_rate_jobs', 'tenant_rate_ms', 'tenant_max_waiting', 'overrides' }
  for i, text in ipairs(call('HMGET', base .. 'settings', unpack(names))) do settings[names[i]] = tonumber(text) end
end
if counted.settings > 0 then load_settings() else settings = {} end

-- Places and turns are numbers out of one sequence.
local sequence = counted.sequence
local function next_number()
  sequence = sequence + 1
  return int(sequence)
end

-- Nothing falls due before this: no job, lease or parked tenant, nor a job's time to live. What is added lowers it, and
-- whoever looks after it counts it anew.
local due_at, fallen_due = counted.due, false
local DUE = { delayed = true, active = true, parked = true, expiring = true }

local ringed = {}
local function to_ring(priority, tenant)
  local name = priority .. ':' .. tenant
  if ringed[name] then return end
  ringed[name] = true
  call('ZADD', base .. 'ring:' .. priority, 'NX', next_number(), tenant)
end

-- Members of sorted sets are collected, and added together: scores and members, in turn.
local additions = {}
local function additions_to(key)
  local list = additions[key]
  if not list then
    list = {}
    additions[key] = list
  end
  return list
end
local function write_additions()
  for key, list in pairs(additions) do in_pieces('ZADD', base .. key, list) end
  additions = {}
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

-- How attempts of each kind ended, for the charts. Clients may name any kind, so that only so many are counted.
local kind_changes = {}
local function count_kind(what, kind, n)
  local field = what .. ':' .. kind
  kind_changes[field] = (kind_changes[field] or 0) + n
end

local function write_counters()
  write_counts()
  for field, n in pairs(kind_changes) do
    local key = base .. 'kinds'
    if call('HINCRBY', key, field, n) == n and call('HLEN', key) > 512 then call('HDEL', key, field) end
  end
  for field, n in pairs(tenant_changes) do
    if n ~= 0 and call('HINCRBY', base .. 'tenants', field, n) <= 0 then
      call('HDEL', base .. 'tenants', field)
    end
  end
end
