-- Stores a batch of new jobs, says so on their channels, and wakes a worker: one step, so that an announcement
-- always comes before its result. A job whose id is there already is left alone, which makes the batch safe to
-- send again when its answer was lost.
local keep_key_ms, max_waiting, max_bytes = number(), number(), number()
load_settings()
max_waiting, max_bytes = set('max_waiting') or max_waiting, set('max_bytes') or max_bytes

-- How full the queue and a tenant's share of it are, what this script adds included.
local held = redis.call('HMGET', base .. 'count', 'waiting', 'bytes')
local holds = (tonumber(held[1]) or 0) + redis.call('ZCARD', base .. 'delayed')
local bytes_held = tonumber(held[2]) or 0
local function is_full(tenant, bytes)
  if holds >= max_waiting or bytes_held + bytes > max_bytes then return true end
  local most = limits_of(tenant).max_waiting
  if not most then return false end
  local field = 'w:' .. tenant
  return (tonumber(redis.call('HGET', base .. 'tenants', field)) or 0) + (tenant_changes[field] or 0) >= most
end

-- The reply of a job: what became of it (0 stored, 1 there already, 2 conflict, 3 full), its id, the epoch and
-- offset of its log, and of one that was there its state, result and error.
local function known(id, topic)
  local f = redis.call('HMGET', base .. 'job:' .. id, 'topic', 'state', 'result', 'error')
  local log = open(f[1] or topic)
  return { 1, id, log.epoch, log.offset, f[2] or '', f[3] or '', f[4] or '' }
end

local n = number()
local reply = {}
for i = 1, n do
  local id, kind, tenant, topic, priority, events = arg(), arg(), arg(), arg(), arg(), arg()
  local delay, run_at, ttl, attempts = number(), number(), number(), arg()
  local idempotency, payload, announce, extra = arg(), arg(), arg(), arg()
  local key = base .. 'job:' .. id
  local bytes = #payload + #extra
  local owner, owner_key, digest
  if idempotency ~= '' then
    owner_key = base .. 'key:' .. tenant .. ':' .. idempotency
    digest = redis.sha1hex(kind .. ' ' .. payload)
    local found = redis.call('GET', owner_key)
    if found then
      local other = string.sub(found, 42)
      if string.sub(found, 1, 40) == digest then owner = other elseif other ~= id then owner = 'conflict' end
    end
  end
  local held_by = redis.call('HGET', key, 'tenant')
  if held_by and held_by ~= tenant then
    -- Whoever guesses the id of another tenant's job learns nothing of it.
    reply[i] = { 2, id, '', 0, '', '', '' }
  elseif held_by then
    reply[i] = known(id, topic)
  elseif owner == 'conflict' then
    reply[i] = { 2, id, '', 0, '', '', '' }
  elseif owner then
    reply[i] = known(owner, owner)
  elseif is_full(tenant, bytes) then
    count('refused')
    reply[i] = { 3, id, '', 1000, '', '', '' }
  else
    local due = run_at > 0 and run_at or now + delay
    local delayed = due > now
    local fields = { 'state', delayed and 'delayed' or 'waiting', 'kind', kind, 'tenant', tenant, 'topic', topic,
      'priority', priority, 'max', attempts, 'events', events, 'payload', payload, 'created', int(now), 'attempt', 0,
      'back', 0, 'bytes', bytes }
    local function field(name, value) fields[#fields + 1] = name; fields[#fields + 1] = value end
    if extra ~= '' then field('extra', extra) end
    if owner_key then
      field('key', idempotency)
      redis.call('SET', owner_key, digest .. ' ' .. id, 'PX', int(keep_key_ms + math.max(0, due - now)))
    end
    if ttl > 0 then
      local expires = int(math.max(due, now) + ttl)
      field('expires', expires)
      redis.call('ZADD', base .. 'expiring', expires, id)
    end
    holds, bytes_held = holds + 1, bytes_held + bytes
    if delayed then
      field('due', int(due))
      redis.call('ZADD', base .. 'delayed', int(due), id)
      change('bytes', bytes)
      change_tenant('w', tenant, 1)
    else
      local place = int(next_number())
      field('place', place)
      enlist(id, priority, tenant, place, bytes)
    end
    redis.call('HSET', key, unpack(fields))
    count('enqueued')
    if events == 'all' or announce ~= '' then append(topic, event('queued', id, kind, 0, announce)) end
    local log = open(topic)
    reply[i] = { 0, id, log.epoch, log.offset, '', '', '' }
  end
end
finish()
return reply
