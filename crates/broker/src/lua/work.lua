-- One round of a worker: what it finished, then what it may take. A round has a number; when its answer was lost
-- the worker sends it again, and gets the same answer without anything being done twice.
local keep_completed_ms, keep_failed_ms, keep_most = number(), number(), number()
--@transitions
local worker, round, lease, want, ops = arg(), arg(), number(), number(), number()
local memory = base .. 'round:' .. worker

local function claimed(id, f)
  return { id, int(f.attempt), f.kind or '', f.tenant or '', f.topic or '', f.max or '', f.payload or '',
    f.meta or '' }
end
local function claim_fields(key)
  local f = redis.call('HMGET', key, 'state', 'attempt', 'kind', 'tenant', 'topic', 'max', 'payload', 'meta',
    'events', 'worker')
  return { state = f[1], attempt = tonumber(f[2] or 0), kind = f[3], tenant = f[4], topic = f[5], max = f[6],
    payload = f[7], meta = f[8], events = f[9], worker = f[10] }
end

local past = redis.call('GET', memory)
if past then
  local number_then, statuses, ids = string.match(past, '^(%d+);([01]*);(.*)$')
  if number_then == round then
    local replayed, claims = {}, {}
    for status in string.gmatch(statuses, '.') do replayed[#replayed + 1] = tonumber(status) end
    for id, attempt in string.gmatch(ids, '(%w+):(%d+)') do
      local f = claim_fields(base .. 'job:' .. id)
      if f.state == 'active' and f.worker == worker and f.attempt == tonumber(attempt) then
        claims[#claims + 1] = claimed(id, f)
      end
    end
    return { replayed, claims, -1 }
  end
end

-- What it finished ---------------------------------------------------------------------------------------------
local statuses, ended = {}, 0
for i = 1, ops do
  local op, id, attempt, a, b = arg(), arg(), number(), arg(), arg()
  local key = base .. 'job:' .. id
  local job = read(key)
  -- The fence: only the current attempt of the worker that holds the job may write.
  if job.state ~= 'active' or job.attempt ~= attempt or job.worker ~= worker then
    statuses[i] = 0
    count('stale')
  else
    statuses[i] = 1
    if op == 'event' then
      append(job.topic, event(a, id, job.kind, attempt, b))
    else
      redis.call('ZREM', base .. 'active', id)
      ended = ended + 1
      if op == 'complete' then
        redis.call('HSET', key, 'state', 'completed', 'result', a, 'finished', int(now))
        redis.call('HDEL', key, 'error')
        redis.call('PEXPIRE', key, keep_completed_ms)
        redis.call('ZADD', base .. 'completed', int(now), id)
        append(job.topic, event('completed', id, job.kind, attempt, a))
        count('completed')
      elseif op == 'retry' and has_attempts(job) then
        local due = now + tonumber(b)
        redis.call('HSET', key, 'state', 'delayed', 'error', a, 'due', int(due))
        redis.call('ZADD', base .. 'delayed', int(due), id)
        if job.events == 'all' then append(job.topic, event('retrying', id, job.kind, attempt, nil, a)) end
        count('retried')
      elseif op == 'back' then
        redis.call('HSET', key, 'state', 'waiting', 'back', job.back + 1)
        enlist(id, job.priority, job.tenant, true)
        count('handed_back')
      else
        fail(id, job, a)
      end
    end
  end
end
if ended > 0 then
  trim_finished('completed', keep_most, ended * 2 + 16)
  trim_finished('failed', keep_most, ended * 2 + 16)
end

-- What it may take ---------------------------------------------------------------------------------------------
local claims, ids, leases = {}, {}, {}
if want > 0 then
  sweep(64)
  promote(128)
end
local function take(id)
  waiting_delta = waiting_delta - 1
  local key = base .. 'job:' .. id
  local f = claim_fields(key)
  if f.state ~= 'waiting' then return end
  f.attempt = f.attempt + 1
  redis.call('HSET', key, 'state', 'active', 'attempt', int(f.attempt), 'worker', worker, 'started', int(now))
  leases[#leases + 1] = int(now + lease)
  leases[#leases + 1] = id
  claims[#claims + 1] = claimed(id, f)
  ids[#ids + 1] = id .. ':' .. int(f.attempt)
  if f.events == 'all' then append(f.topic, event('started', id, f.kind or 'unknown', int(f.attempt))) end
end
for priority = 0, 2 do
  local ring = base .. 'ring:' .. priority
  local tenants = want > #claims and redis.call('LLEN', ring) or 0
  -- Each tenant in turn gives an equal share; the last share may leave room for another turn.
  while tenants > 0 and #claims < want do
    local tenant = redis.call('LPOP', ring)
    if not tenant then break end
    local line = base .. 'wait:' .. priority .. ':' .. tenant
    local share = math.min(math.ceil(want / tenants), want - #claims)
    local taken = redis.call('LPOP', line, share) or {}
    for _, id in ipairs(taken) do take(id) end
    if #taken == share and redis.call('LLEN', line) > 0 then
      redis.call('RPUSH', ring, tenant)
    else
      tenants = redis.call('LLEN', ring)
    end
  end
end
for i = 1, #leases, 128 do
  redis.call('ZADD', base .. 'active', unpack(leases, i, math.min(i + 127, #leases)))
end

if ops > 0 or #claims > 0 then
  redis.call('SET', memory, round .. ';' .. table.concat(statuses) .. ';' .. table.concat(ids, ','), 'PX', 3600000)
end
finish()

-- How long a worker that found nothing may wait before something falls due.
local rest = -1
if want > 0 and #claims == 0 then
  for _, set in ipairs({ 'delayed', 'active' }) do
    local first = redis.call('ZRANGE', base .. set, 0, 0, 'WITHSCORES')
    if first[2] then
      local wait = math.max(0, tonumber(first[2]) - now)
      if rest < 0 or wait < rest then rest = wait end
    end
  end
end
return { statuses, claims, rest }
