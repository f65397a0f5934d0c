-- Moves that more than one script makes. They follow the prelude.
local function read(key)
  local f = redis.call('HMGET', key, 'state', 'attempt', 'worker', 'kind', 'topic', 'events', 'back', 'max', 'priority',
    'tenant')
  return { state = f[1], attempt = tonumber(f[2] or 0), worker = f[3], kind = f[4] or 'unknown', topic = f[5] or '',
    events = f[6], back = tonumber(f[7] or 0), max = tonumber(f[8] or 1), priority = f[9] or '1',
    tenant = f[10] or 'public' }
end

local function fail(id, job, err)
  local key = base .. 'job:' .. id
  redis.call('HSET', key, 'state', 'failed', 'error', err, 'finished', int(now))
  redis.call('PEXPIRE', key, keep_failed_ms)
  redis.call('ZADD', base .. 'failed', int(now), id)
  if job.topic ~= '' then append(job.topic, event('failed', id, job.kind, job.attempt, nil, err)) end
  count('failed')
end

local function has_attempts(job) return job.attempt - job.back < job.max end

-- Jobs whose worker stopped renewing: again if they have attempts left, else failed.
local lost = '{"code":"lease_lost","message":"the worker stopped renewing its lease"}'
local function sweep(most)
  local late = redis.call('ZRANGE', base .. 'active', '-inf', int(now), 'BYSCORE', 'LIMIT', 0, most)
  for _, id in ipairs(late) do
    redis.call('ZREM', base .. 'active', id)
    local key = base .. 'job:' .. id
    local job = read(key)
    if job.state == 'active' then
      count('lost')
      if has_attempts(job) then
        redis.call('HSET', key, 'state', 'waiting', 'error', lost)
        enlist(id, job.priority, job.tenant, true)
        if job.events == 'all' then append(job.topic, event('retrying', id, job.kind, job.attempt, nil, lost)) end
      else
        fail(id, job, lost)
      end
    end
  end
  return #late
end

-- Jobs whose time has come.
local function promote(most)
  local due = redis.call('ZRANGE', base .. 'delayed', '-inf', int(now), 'BYSCORE', 'LIMIT', 0, most)
  for _, id in ipairs(due) do
    redis.call('ZREM', base .. 'delayed', id)
    local key = base .. 'job:' .. id
    local f = redis.call('HMGET', key, 'state', 'priority', 'tenant')
    if f[1] == 'delayed' then
      redis.call('HSET', key, 'state', 'waiting')
      redis.call('HDEL', key, 'due')
      enlist(id, f[2] or '1', f[3] or 'public', false)
    end
  end
  return #due
end
