-- One round of a worker: what it finished, then what it may take. A round has a number; when its answer was lost
-- the worker sends it again, and gets the same answer without anything being done twice.
--@transitions
local worker, round, lease, want, kinds, ops = arg(), arg(), number(), number(), arg(), number()
local memory = base .. 'round:' .. worker

-- What a worker gets of a job, once it is stored: its id, the job as it is stored, and a payload that is apart.
local function given(job)
  return { job.id, job.raw, job.apart and redis.call('GET', base .. 'body:' .. job.id) or '' }
end

local past = redis.call('GET', memory)
if past then
  local number_then, statuses, ids = string.match(past, '^(%d+);([01]*);(.*)$')
  if number_then == round then
    local replayed, claims = {}, {}
    for status in string.gmatch(statuses, '.') do replayed[#replayed + 1] = tonumber(status) end
    for id, attempt in string.gmatch(ids, '(%w+):(%d+)') do
      local job = read(id)
      if job.state == 'active' and job.worker == worker and job.attempt == tonumber(attempt) then
        claims[#claims + 1] = given(job)
      end
    end
    return { replayed, claims, -1 }
  end
end

-- What it finished ---------------------------------------------------------------------------------------------
local statuses, ended, subjects = {}, {}, { unpack(ARGV, cursor + 1, cursor + ops) }
cursor = cursor + ops
local job_keys = preload(subjects)

-- Most attempts complete, and nothing was written about them since they began: then the front is as the worker got it,
-- which is the fence, and all else that is needed comes with the operation.
local function complete(i, id, result, front)
  local before_time, tenant, topic, epoch, kept = arg(), arg(), arg(), arg(), number()
  local raw = raws[id]
  if jobs[id] or not raw or front == '' or string.sub(raw, 1, #front) ~= front then return false end
  local log = ''
  if topic ~= '' then
    append(topic, before_time .. now .. ',"data":' .. result .. '}')
  else
    -- The log of a job that was stored in another run of Redis goes on under another epoch.
    if string.sub(epoch, 14) ~= birth() then return false end
    local data = result
    if string.find(data, '\n', 1, true) then data = string.gsub(data, '\n', ' ') end
    log = ' log=1:1:0:' .. this_run() .. ':' .. epoch
    redis.call('PUBLISH', base .. 'ch:' .. id,
      '{"epoch":"' .. epoch .. '","offset":1,"event":' .. before_time .. now .. ',"data":' .. data .. '}}')
  end
  raw = 'completed' .. string.sub(front, 7, -2) .. ' finished=' .. now .. ' kept=' .. kept .. log .. ' result=' ..
    #result .. ';' .. string.sub(raw, #front + 1) .. result
  raws[id] = raw
  pairs_to_set[#pairs_to_set + 1] = job_keys[i]
  pairs_to_set[#pairs_to_set + 1] = raw
  finish_one(id, 'completed', kept)
  leave_active(tenant)
  ended[#ended + 1] = id
  return true
end

for i = 1, ops do
  local id, op, attempt, a, b = subjects[i], arg(), number(), arg(), arg()
  local short = op == 'complete' and complete(i, id, a, b)
  local job = not short and read(id)
  if short then
    statuses[i] = 1
  -- The fence: only the current attempt of the worker that holds the job may write.
  elseif job.state ~= 'active' or job.attempt ~= attempt or job.worker ~= worker then
    statuses[i] = 0
    count('stale')
  else
    statuses[i] = 1
    if op == 'event' then
      append(job.topic, event(a, id, job.kind, attempt, b))
    else
      ended[#ended + 1] = id
      leave_active(job.tenant)
      if op == 'complete' then
        close(id, job, 'completed', a)
      elseif job.cancel or op == 'cancel' then
        -- Whatever else became of an attempt that was told to end: the job is cancelled.
        close(id, job, 'cancelled')
      elseif op == 'retry' and has_attempts(job) then
        local due = now + tonumber(b)
        job.state, job.due = 'delayed', int(due)
        set_outcome(job, 'error', a)
        touch(job)
        add('delayed', due, id)
        change('bytes', job.bytes)
        change_tenant('w', job.tenant, 1)
        if job.events == 'all' then append(job.topic, event('retrying', id, job.kind, attempt, nil, a)) end
        count('retried')
      elseif op == 'back' then
        job.back = job.back + 1
        to_line(id, job)
        count('handed_back')
      else
        close(id, job, 'failed', nil, a)
      end
    end
  end
end
in_pieces('ZREM', base .. 'active', ended)

-- What it may take ---------------------------------------------------------------------------------------------
local known
local function knows(kind)
  if kinds == '' then return true end
  if not known then
    known = {}
    for name in string.gmatch(kinds, '[^ ]+') do known[name] = true end
  end
  return known[kind]
end

local goal, gate_wait = 0, -1
if want > 0 then
  sweep(64)
  expire(64)
  promote(128)
  look_aside(knows, want)
  write_additions()
  goal, gate_wait = gate()
  goal = math.min(want, goal)
end

-- How many more jobs a tenant may have now, and if none, in how many milliseconds to look again.
local function room(tenant)
  local limits = limits_of(tenant)
  local most, wait = math.huge, 1000
  if limits.max_active then
    local field = 'a:' .. tenant
    local active = (tonumber(redis.call('HGET', base .. 'tenants', field)) or 0) + (tenant_changes[field] or 0)
    most = limits.max_active - active
  end
  if limits.rate_jobs then
    local full_at = tonumber(redis.call('GET', base .. 'rate:' .. tenant)) or 0
    local free, pause = allowance(full_at, limits.rate_jobs, limits.rate_ms)
    if free < most then most, wait = free, pause end
  end
  return most, wait
end
local function spend_rate(tenant, taken)
  local limits = limits_of(tenant)
  if not limits.rate_jobs or taken == 0 then return end
  local key = base .. 'rate:' .. tenant
  local full_at = spend(tonumber(redis.call('GET', key)) or 0, limits.rate_jobs, limits.rate_ms, taken)
  redis.call('SET', key, string.format('%.3f', full_at), 'PX', int(math.ceil(full_at - now)))
end

local claims, ids, told = {}, {}, {}
local broken = '{"code":"undecodable","message":"the stored job is damaged"}'
local function take(id, place, tenant)
  local job = read(id)
  if job.damaged then
    leave_line(tenant, 0)
    job.fixed = '1 1 outcome 0 0 unknown ' .. tenant .. ' = 0'
    return close(id, job, 'failed', nil, broken)
  end
  -- It is lost.
  if job.state ~= 'waiting' then return leave_line(tenant, job.bytes) end
  local known_here = knows(job.kind)
  local other = not known_here and who_knows(job.kind)
  local expires = job.attempt <= job.back and tonumber(job.expires)
  if other and not (expires and expires <= now) then
    set_aside(id, job.kind, place)
    if not told[other] then tell(other, 'look') end
    told[other] = true
    return
  end
  leave_line(tenant, job.bytes)
  if expires then
    redis.call('ZREM', base .. 'expiring', id)
    if expires <= now then
      count('expired')
      return close(id, job, 'failed', nil, expired)
    end
  end
  if not known_here then return fail_unknown(id, job) end
  job.attempt = job.attempt + 1
  job.state, job.worker, job.started, job.place = 'active', worker, now, place
  touch(job)
  change_tenant('a', job.tenant, 1)
  if job.events == 'all' then
    job.from = int(open(job.topic).offset + 1)
    local json = event('started', id, job.kind, job.attempt)
    append(job.topic, string.sub(json, 1, -2) .. ',"from":' .. job.from .. '}')
  end
  add('active', now + lease, id)
  claims[#claims + 1] = job
  ids[#ids + 1] = id .. ':' .. job.attempt
end

-- Most jobs are new, publish their outcome only, and can't expire: their front is replaced, and nothing else is looked at.
local beginning = 'active 1 0 worker=' .. worker .. ' started=' .. now .. ' place='
local function take_new(id, key, place, tenant)
  local raw = raws[id]
  if not raw or jobs[id] or string.byte(raw, 8) ~= 59 then return false end
  local kind, size, options = string.match(raw, '^waiting;%d+ %d outcome %d+ %w+ (%S+) %S+ %S+ (%d+)([^\n]*)')
  if options ~= '' or not knows(kind) then return false end
  leave_line(tenant, tonumber(size))
  change_tenant('a', tenant, 1)
  raw = beginning .. place .. string.sub(raw, 8)
  raws[id] = raw
  pairs_to_set[#pairs_to_set + 1] = key
  pairs_to_set[#pairs_to_set + 1] = raw
  add('active', now + lease, id)
  claims[#claims + 1] = { id = id, raw = raw }
  ids[#ids + 1] = id .. ':1'
  return true
end

-- Jobs that are met and not taken count too, so that a round is bounded.
local budget = goal + 256
for priority = 0, 2 do
  local ring = base .. 'ring:' .. priority
  local tenants = goal > #claims and redis.call('ZCARD', ring) or 0
  -- Each tenant in turn gives an equal share; the last share may leave room for another turn.
  while tenants > 0 and #claims < goal and budget > 0 do
    local tenant = redis.call('ZPOPMIN', ring)[1]
    if not tenant then break end
    ringed[priority .. ':' .. tenant] = nil
    budget = budget - 1
    local line = base .. 'wait:' .. priority .. ':' .. tenant
    local most, wait = room(tenant)
    local share = math.min(math.ceil(goal / tenants), goal - #claims, most)
    if share > 0 then
      local before = #claims
      local popped, next_ids = redis.call('ZPOPMIN', line, share), {}
      for i = 1, #popped, 2 do next_ids[#next_ids + 1] = popped[i] end
      local next_keys = preload(next_ids)
      for i, id in ipairs(next_ids) do
        if not take_new(id, next_keys[i], popped[2 * i], tenant) then take(id, popped[2 * i], tenant) end
      end
      budget = budget - #popped / 2
      spend_rate(tenant, #claims - before)
    end
    if redis.call('ZCARD', line) == 0 then
      tenants = redis.call('ZCARD', ring)
    else
      if share > 0 then most, wait = room(tenant) end
      if most > 0 then
        to_ring(priority, tenant)
      else
        park(tenant, wait)
        tenants = redis.call('ZCARD', ring)
      end
    end
  end
end
if #claims > 0 and set('rate_jobs') then
  local full_at = tonumber(redis.call('HGET', base .. 'count', 'full_at') or 0)
  full_at = spend(full_at, set('rate_jobs'), set('rate_ms'), #claims)
  redis.call('HSET', base .. 'count', 'full_at', string.format('%.3f', full_at))
end
trim_all()

if ops > 0 or #claims > 0 then
  redis.call('SET', memory, round .. ';' .. table.concat(statuses) .. ';' .. table.concat(ids, ','), 'PX', 3600000)
end
finish()

-- How long a worker that found less than it wanted may wait before something falls due.
local rest = -1
if #claims < want then
  rest = gate_wait
  for _, due in ipairs({ 'delayed', 'active', 'parked', 'expiring' }) do
    local first = redis.call('ZRANGE', base .. due, 0, 0, 'WITHSCORES')
    if first[2] then
      local wait = math.max(0, tonumber(first[2]) - now)
      if rest < 0 or wait < rest then rest = wait end
    end
  end
end
local taken = {}
for i, job in ipairs(claims) do taken[i] = given(job) end
return { statuses, taken, rest }
