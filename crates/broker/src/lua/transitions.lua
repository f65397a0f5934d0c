-- Moves that more than one script makes. They follow the prelude, and begin with how long finished jobs are kept.
local keep_completed_ms, keep_failed_ms, keep_jobs, keep_bytes = number(), number(), number(), number()
local keep_ms = { completed = keep_completed_ms, failed = keep_failed_ms, cancelled = keep_completed_ms }

-- Further fields are read with it, in one command.
local function read(id, ...)
  local f = redis.call('HMGET', base .. 'job:' .. id, 'state', 'attempt', 'worker', 'kind', 'topic', 'events', 'back',
    'max', 'priority', 'tenant', 'place', 'bytes', 'cancel', 'expires', ...)
  -- A field that is damaged is as one that is absent: one bad job must not stop the others.
  local function n(value, default) return tonumber(value) or default end
  return { state = f[1], attempt = n(f[2], 0), worker = f[3], kind = f[4] or 'unknown', topic = f[5] or id,
    events = f[6], back = n(f[7], 0), max = n(f[8], 1), priority = int(n(f[9], 1)), tenant = f[10] or 'public',
    place = int(n(f[11], 0)), bytes = n(f[12], 0), cancel = f[13], expires = n(f[14], false),
    kind_found = f[4] or '', tenant_found = f[10] or '', more = { f[15], f[16] } }
end

-- Finished jobs -------------------------------------------------------------------------------------------------
-- A finished job is kept for a while; its log goes with it. What it takes is counted, roughly, in bytes.
local function forget(id, state)
  local f = redis.call('HMGET', base .. 'job:' .. id, 'kept', 'tenant', 'key')
  local kept = tonumber(f[1])
  if not kept then
    -- It expired by itself: it took what its like take.
    local others = redis.call('ZCARD', base .. state) + 1
    kept = math.floor(((tonumber(redis.call('HGET', base .. 'count', state .. '_bytes')) or 0)
      + (changes[state .. '_bytes'] or 0)) / others)
  end
  change(state .. '_bytes', -kept)
  redis.call('UNLINK', base .. 'job:' .. id, base .. 'log:' .. id, base .. 'top:' .. id)
  local log = logs[id]
  if log then log.gone = true end
  return f[2], f[3]
end

local function trim_finished(state, most)
  local key = base .. state
  local trimmed = 0
  local over = math.min(most, redis.call('ZCARD', key) - keep_jobs)
  if over > 0 then
    local oldest = redis.call('ZPOPMIN', key, over)
    for i = 1, #oldest, 2 do forget(oldest[i], state) end
    trimmed = #oldest / 2
  end
  local field = state .. '_bytes'
  local bytes = tonumber(redis.call('HGET', base .. 'count', field) or 0)
  while trimmed < most and bytes + (changes[field] or 0) > keep_bytes do
    local oldest = redis.call('ZPOPMIN', key)
    if not oldest[1] then
      change(field, -bytes - (changes[field] or 0))
      break
    end
    forget(oldest[1], state)
    trimmed = trimmed + 1
  end
  return trimmed
end

local function prune(state, most)
  local old = redis.call('ZRANGE', base .. state, '-inf', int(now - keep_ms[state]), 'BYSCORE', 'LIMIT', 0, most)
  for _, id in ipairs(old) do
    redis.call('ZREM', base .. state, id)
    forget(id, state)
  end
  return #old
end

-- The one way into a terminal state: the state, its event, and the time for which both are kept.
local finished = {}
local function close(id, job, state, data, err)
  local log = append(job.topic, event(state, id, job.kind, job.attempt, data, err))
  local kept = 512 + job.bytes + #(data or '') + #(err or '')
  if job.topic == id then
    kept = kept + 256 + log.bytes
    -- How a job ended is told for as long as its result is kept.
    log.keep = keep_ms[state]
  end
  local key = base .. 'job:' .. id
  redis.call('HSET', key, 'state', state, 'finished', int(now), 'kept', int(kept))
  if data then
    redis.call('HSET', key, 'result', data)
    redis.call('HDEL', key, 'error', 'cancel')
  elseif err then
    redis.call('HSET', key, 'error', err)
  end
  -- Pruning comes first; this is for a system that nobody runs any more.
  redis.call('PEXPIRE', key, keep_ms[state] + 3600000)
  redis.call('ZADD', base .. state, int(now), id)
  change(state .. '_bytes', kept)
  count(state)
  finished[state] = (finished[state] or 0) + 1
end

-- For each job that ends, up to two old ones go.
local function trim_all()
  for state, n in pairs(finished) do
    local most = n * 2 + 16
    prune(state, most)
    trim_finished(state, most)
  end
end

-- Active jobs ---------------------------------------------------------------------------------------------------
local function has_attempts(job) return job.attempt - job.back < job.max end

local freed = {}
local function leave_active(job)
  change_tenant('a', job.tenant, -1)
  if freed[job.tenant] then return end
  freed[job.tenant] = true
  if redis.call('ZREM', base .. 'parked', job.tenant) == 1 then unpark(job.tenant) end
end

-- Back to the place in line that it had.
local function to_line(id, job)
  redis.call('HSET', base .. 'job:' .. id, 'state', 'waiting')
  enlist(id, job.priority, job.tenant, job.place, job.bytes)
  if job.expires and job.attempt <= job.back then redis.call('ZADD', base .. 'expiring', int(job.expires), id) end
end

-- Jobs whose worker stopped renewing: again if they have attempts left, else failed.
local lost = '{"code":"lease_lost","message":"the worker stopped renewing its lease"}'
local function sweep(most)
  local late = redis.call('ZRANGE', base .. 'active', '-inf', int(now), 'BYSCORE', 'LIMIT', 0, most)
  in_pieces('ZREM', base .. 'active', late)
  for _, id in ipairs(late) do
    local job = read(id)
    if job.state == 'active' then
      count('lost')
      leave_active(job)
      if job.cancel then
        close(id, job, 'cancelled')
      elseif has_attempts(job) then
        redis.call('HSET', base .. 'job:' .. id, 'error', lost)
        to_line(id, job)
        if job.events == 'all' then append(job.topic, event('retrying', id, job.kind, job.attempt, nil, lost)) end
      else
        close(id, job, 'failed', nil, lost)
      end
    end
  end
  return #late
end

-- Waiting and delayed jobs --------------------------------------------------------------------------------------
-- Takes a job out of wherever it waits.
local function withdraw(id, job)
  if job.state == 'delayed' then
    redis.call('ZREM', base .. 'delayed', id)
    leave_delayed(job.tenant, job.bytes)
  else
    local line = base .. 'wait:' .. job.priority .. ':' .. job.tenant
    if redis.call('ZREM', line, id) == 0 then
      redis.call('ZREM', base .. 'aside:' .. job.kind, id)
    elseif redis.call('ZCARD', line) == 0 then
      redis.call('ZREM', base .. 'ring:' .. job.priority, job.tenant)
      ringed[job.priority .. ':' .. job.tenant] = nil
    end
    leave_line(job.tenant, job.bytes)
  end
  if job.expires then redis.call('ZREM', base .. 'expiring', id) end
end

-- Jobs whose time to live was over before an attempt began.
local expired = '{"code":"expired","message":"the job\'s time to live was over before an attempt began"}'
local function expire(most)
  local late = redis.call('ZRANGE', base .. 'expiring', '-inf', int(now), 'BYSCORE', 'LIMIT', 0, most)
  for _, id in ipairs(late) do
    redis.call('ZREM', base .. 'expiring', id)
    local job = read(id)
    if job.state == 'waiting' or job.state == 'delayed' then
      withdraw(id, job)
      count('expired')
      close(id, job, 'failed', nil, expired)
    end
  end
  return #late
end

-- Jobs whose time has come, and tenants that may have jobs again.
local function promote(most)
  local due = redis.call('ZRANGE', base .. 'delayed', '-inf', int(now), 'BYSCORE', 'LIMIT', 0, most)
  in_pieces('ZREM', base .. 'delayed', due)
  for _, id in ipairs(due) do
    local job = read(id)
    if job.state == 'delayed' then
      local place = next_number()
      leave_delayed(job.tenant, job.bytes)
      redis.call('HSET', base .. 'job:' .. id, 'state', 'waiting', 'place', int(place))
      enlist(id, job.priority, job.tenant, int(place), job.bytes)
    end
  end
  local parked = redis.call('ZRANGE', base .. 'parked', '-inf', int(now), 'BYSCORE', 'LIMIT', 0, most)
  in_pieces('ZREM', base .. 'parked', parked)
  for _, tenant in ipairs(parked) do unpark(tenant) end
  return #due
end

-- Kinds ---------------------------------------------------------------------------------------------------------
-- A live worker that has the kind, or else one that has every kind.
local function who_knows(kind)
  local function live(name)
    return redis.call('ZRANGE', base .. 'kind:' .. name, '(' .. int(now), '+inf', 'BYSCORE', 'LIMIT', 0, 1)[1]
  end
  return live(kind) or live('*')
end
local function fail_unknown(id, job)
  local err = '{"code":"unknown_kind","message":"no live worker has a handler for `' .. job.kind .. '`"}'
  close(id, job, 'failed', nil, err)
end

-- Jobs that were set aside: back in line if the caller knows their kind, failed if nobody does any more.
local function look_aside(knows, most)
  local moved = 0
  if redis.call('EXISTS', base .. 'asides') == 0 then return moved end
  for _, kind in ipairs(redis.call('SMEMBERS', base .. 'asides')) do
    local aside = base .. 'aside:' .. kind
    local mine = knows(kind)
    if moved < most and (mine or not who_knows(kind)) then
      local popped = redis.call('ZPOPMIN', aside, most - moved)
      for i = 1, #popped, 2 do
        local job = read(popped[i])
        moved = moved + 1
        leave_line(job.tenant, job.bytes)
        if job.state == 'waiting' then
          if mine then
            enlist(popped[i], job.priority, job.tenant, popped[i + 1], job.bytes)
          else
            if job.expires then redis.call('ZREM', base .. 'expiring', popped[i]) end
            fail_unknown(popped[i], job)
          end
        end
      end
    end
    if redis.call('EXISTS', aside) == 0 then redis.call('SREM', base .. 'asides', kind) end
  end
  return moved
end
