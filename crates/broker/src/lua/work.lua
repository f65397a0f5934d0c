-- One round of a worker: what it finished, then what it may take. A round has a number; when its answer was lost
-- the worker sends it again, and gets the same answer without anything being done twice.
--@transitions
local worker, round, lease, want, kinds, ops = arg(), arg(), number(), number(), arg(), number()
local memory = base .. 'round:' .. worker

-- What a worker gets of jobs, once they are stored, three strings for each: its id, the job as it is stored, and a payload
-- that is apart.
local function give(claims)
  local given = {}
  for i = 1, #claims do
    local id = claims[i]
    local raw, job = raws[id], jobs[id]
    if job then raw = job.raw end
    given[3 * i - 2], given[3 * i - 1] = id, raw
    given[3 * i] = job and job.apart and call('GET', base .. 'body:' .. id) or ''
  end
  return given
end

if find(call('GETRANGE', memory, 0, 31), round .. ';', 1, true) == 1 then
  local statuses, ids = string.match(call('GET', memory), '^%d+;([01]*);(.*)$')
  local claims = {}
  for id, attempt in string.gmatch(ids, '(%w+):?(%d*)') do
    local job = read(id)
    if job.state == 'active' and job.worker == worker and job.attempt == (tonumber(attempt) or 1) then
      claims[#claims + 1] = id
    end
  end
  return { statuses, give(claims), -1 }
end

-- What it finished ---------------------------------------------------------------------------------------------
local statuses, ended, subjects = {}, {}, { unpack(A, cursor + 1, cursor + ops) }
cursor = cursor + ops
local job_keys = preload(subjects)

-- Most attempts complete, and nothing was written about them since they began: then the front, which follows the state, is
-- as the worker got it. That is the fence, and all else that is needed comes with the operation.
local completed, completed_bytes, of_tenant, of_topic, of_log = 0, 0, nil, nil, nil
local of_tenant_n, completed_list = 0, nil
local function complete(i, id, attempt, result, front, kept, size, before_time, tenant, topic, epoch)
  local raw = raws[id]
  if jobs[id] or not raw or find(raw, front, 7, true) ~= 7 or string.byte(raw, 7 + #front) ~= 59 then return false end
  local json = before_time .. now_text .. ',"data":' .. result .. '}'
  if find(result, '\n', 1, true) then json = string.gsub(json, '\n', ' ') end
  local log = ''
  if topic ~= '' then
    if topic ~= of_topic then of_topic, of_log = topic, open(topic) end
    append_line(of_log, json)
  else
    -- The log of a job that was stored in another run of Redis goes on under another epoch.
    if sub(epoch, 14) ~= born then return false end
    log = ' log=1:1:0:' .. run .. ':' .. epoch
    call('PUBLISH', base .. 'ch:' .. id, published(epoch, '1', json))
  end
  raw = 'completed' .. front .. ' finished=' .. now_text .. ' kept=' .. kept .. log .. ' result=' .. size .. ';' ..
    sub(raw, 8 + #front) .. result
  raws[id] = raw
  local last = #pairs_to_set
  pairs_to_set[last + 1], pairs_to_set[last + 2] = job_keys[i], raw
  if tenant ~= of_tenant then
    if of_tenant then leave_active(of_tenant, of_tenant_n) end
    of_tenant, of_tenant_n = tenant, 0
    completed_list = completed_list or additions_to('completed')
  end
  completed_list[#completed_list + 1] = now_text
  completed_list[#completed_list + 1] = id
  of_tenant_n, completed, completed_bytes = of_tenant_n + 1, completed + 1, completed_bytes + tonumber(kept)
  return true
end

for i = 1, ops do
  local id, op, attempt, a, b = subjects[i], unpack(A, cursor + 1, cursor + 4)
  cursor = cursor + 4
  local short = false
  if op == 'given' then
    op = 'complete'
    short = complete(i, id, attempt, a, b, unpack(A, cursor + 1, cursor + 6))
    cursor = cursor + 6
  end
  local job = not short and read(id)
  if short then
    statuses[i], ended[#ended + 1] = '1', id
  -- The fence: only the current attempt of the worker that holds the job may write.
  elseif job.state ~= 'active' or job.attempt ~= tonumber(attempt) or job.worker ~= worker then
    statuses[i] = '0'
    count('stale')
  else
    attempt = job.attempt
    statuses[i] = '1'
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
if completed > 0 then
  leave_active(of_tenant, of_tenant_n)
  change('completed', completed)
  change('completed_bytes', completed_bytes)
  finished.completed = (finished.completed or 0) + completed
end
in_pieces('ZREM', base .. 'active', ended)
statuses = table.concat(statuses)

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
-- In one command: whether anything but the usual is there.
local unusual = want > 0 and call('EXISTS', base .. 'asides', base .. 'ring:0', base .. 'ring:2') > 0
if want > 0 then
  if due_at <= now then
    fallen_due = true
    sweep(64)
    expire(64)
    promote(128)
    unusual = true
  end
  if unusual then look_aside(knows, want) end
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
    local active = (tonumber(call('HGET', base .. 'tenants', field)) or 0) + (tenant_changes[field] or 0)
    most = limits.max_active - active
  end
  if limits.rate_jobs then
    local full_at = tonumber(call('GET', base .. 'rate:' .. tenant)) or 0
    local free, pause = allowance(full_at, limits.rate_jobs, limits.rate_ms)
    if free < most then most, wait = free, pause end
  end
  return most, wait
end
local function spend_rate(tenant, taken)
  local limits = limits_of(tenant)
  if not limits.rate_jobs or taken == 0 then return end
  local key = base .. 'rate:' .. tenant
  local full_at = spend(tonumber(call('GET', key)) or 0, limits.rate_jobs, limits.rate_ms, taken)
  call('SET', key, string.format('%.3f', full_at), 'PX', int(math.ceil(full_at - now)))
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
    call('ZREM', base .. 'expiring', id)
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
  add('active', int(now + lease), id)
  claims[#claims + 1] = id
  ids[#ids + 1] = id .. ':' .. job.attempt
end

-- Most jobs are new, publish their outcome only, and can't expire: their front is replaced, and nothing else is looked at.
-- Returns how many bytes wait no more.
local beginning = 'active 1 0 worker=' .. worker .. ' started=' .. now_text .. ' place='
local deadline, active = int(now + lease), nil
local function take_new(id, key, place)
  local raw = raws[id]
  if not raw or jobs[id] or string.byte(raw, 8) ~= 59 then return nil end
  local kind, size = string.match(raw, '^waiting;%d+ %d outcome %d+ %w+ (%S+) %S+ %S+ (%d+)\n')
  if not kind or not knows(kind) then return nil end
  raw = beginning .. place .. sub(raw, 8)
  raws[id] = raw
  local last = #pairs_to_set
  pairs_to_set[last + 1], pairs_to_set[last + 2] = key, raw
  last = #active
  active[last + 1], active[last + 2] = deadline, id
  claims[#claims + 1], ids[#ids + 1] = id, id
  return tonumber(size)
end
-- Takes those of a tenant that left their line: ids and places, in turn.
local function take_all(tenant, popped)
  local of_line, n, bytes = {}, 0, 0
  for i = 1, #popped, 2 do of_line[#of_line + 1] = popped[i] end
  local keys = preload(of_line)
  active = additions_to('active')
  for i, id in ipairs(of_line) do
    local size = take_new(id, keys[i], popped[2 * i])
    if size then n, bytes = n + 1, bytes + size else take(id, popped[2 * i], tenant) end
  end
  if n > 0 then
    leave_line(tenant, bytes, n)
    change_tenant('a', tenant, n)
    due_at = math.min(due_at, now + lease)
  end
end

-- Jobs that are met and not taken count too, so that a round is bounded.
local budget = goal + 256
for priority = unusual and 0 or 1, unusual and 2 or 1 do
  local ring = base .. 'ring:' .. priority
  local tenants
  -- Each tenant in turn gives an equal share; the last share may leave room for another turn.
  while #claims < goal and budget > 0 and tenants ~= 0 do
    local tenant = call('ZPOPMIN', ring)[1]
    if not tenant then break end
    tenants = tenants or 1 + call('ZCARD', ring)
    ringed[priority .. ':' .. tenant] = nil
    budget = budget - 1
    local line = base .. 'wait:' .. priority .. ':' .. tenant
    local most, wait = room(tenant)
    local share = math.min(math.ceil(goal / tenants), goal - #claims, most)
    local left = true
    if share > 0 then
      local before = #claims
      local popped = call('ZPOPMIN', line, share)
      left = #popped == 2 * share
      if popped[1] then take_all(tenant, popped) end
      budget = budget - #popped / 2
      spend_rate(tenant, #claims - before)
    end
    if not left or call('ZCARD', line) == 0 then
      tenants = tenants - 1
    else
      if share > 0 then most, wait = room(tenant) end
      if most > 0 then
        to_ring(priority, tenant)
      else
        park(tenant, wait)
        tenants = tenants - 1
      end
    end
  end
end
if #claims > 0 and settings.rate_jobs then
  counted.full_at = spend(counted.full_at, settings.rate_jobs, settings.rate_ms, #claims)
  call('HSET', base .. 'count', 'full_at', string.format('%.3f', counted.full_at))
end
trim_all()

if ops > 0 or #claims > 0 then
  call('SET', memory, round .. ';' .. statuses .. ';' .. table.concat(ids, ','), 'PX', 3600000)
end
finish()

-- How long a worker that found less than it wanted may wait before something falls due.
local rest = -1
if #claims < want then
  rest = math.max(0, due_at - now)
  if gate_wait >= 0 and gate_wait < rest then rest = gate_wait end
end
return { statuses, give(claims), rest }
