-- One round of a worker: what it finished, then what it may take.
--@transitions
for i = 1, #given, 3 do
  if string.byte(given[i]) ~= 64 then raws[given[i]] = given[i + 1] end
end
-- What a worker gets of jobs, once they are stored.
local taken_before = #claims
local function give()
  for i = taken_before + 1, #claims do
    local id, m = claims[i], #given
    local job = read(id)
    given[m + 1], given[m + 2] = id, job.raw
    given[m + 3] = job.apart and call('GET', base .. 'body:' .. id) or ''
  end
  return given
end
if is_repeated then
  local replayed, again = string.match(call('GET', memory), '^%d+;([01]*);(.*)$')
  for id, attempt in string.gmatch(again, '(%w+):?(%d*)') do
    local job = read(id)
    if job.state == 'active' and job.worker == worker and job.attempt == (tonumber(attempt) or 1) then
      claims[#claims + 1] = id
    end
  end
  return { replayed, give(), -1, run, {}, heard }
end

-- What it finished ---------------------------------------------------------------------------------------------
if not is_over then
  local said, ended, n = {}, {}, 0
  local subjects = { unpack(A, ids_at + 1, ids_at + ops) }
  preload(subjects)
  for _ = 1, groups do
    local op, many, _, _, _, attempt, word = arg(), number(), arg(), arg(), arg(), number(), arg()
    local width = WIDTH[op] or 2
    for _ = 1, many do
      n = n + 1
      local id, a, b = subjects[n], A[cursor + 1], A[cursor + 2]
      if op == 'tell' then
        a, b = word, A[cursor + 3]
      elseif width > 2 then
        a = A[cursor + 4]
      end
      cursor = cursor + width
      local job = read(id)
      -- The fence: only the current attempt of the worker that holds the job may write.
      if job.state ~= 'active' or job.attempt ~= attempt or job.worker ~= worker then
        said[n] = '0'
        count('stale')
      else
        said[n] = '1'
        if op == 'tell' then
          append(job.topic, event(a, id, job.kind, attempt, b))
        else
          ended[#ended + 1] = id
          leave_active(job.tenant)
          if op == 'complete' or width ~= 2 then
            close(id, job, 'completed', a)
            count_kind('completed', job.kind, 1)
          elseif job.cancel or op == 'cancel' then
            -- Whatever else became of an attempt that was told to end: the job is cancelled.
            close(id, job, 'cancelled')
          elseif op == 'retry' and has_attempts(job) then
            local due = now + tonumber(b)
            settle_own_log(job)
            job.state, job.due = 'delayed', int(due)
            set_outcome(job, 'error', a)
            touch(job)
            add('delayed', due, id)
            change('bytes', job.bytes)
            change_tenant('w', job.tenant, 1)
            if job.events == 'a' then append(job.topic, event('retrying', id, job.kind, attempt, nil, a)) end
            count('retried')
          elseif op == 'back' then
            job.back = job.back + 1
            to_line(id, job)
            count('handed_back')
          else
            close(id, job, 'failed', nil, a)
            count_kind('failed', job.kind, 1)
          end
        end
      end
    end
  end
  statuses = table.concat(said)
  in_pieces('ZREM', base .. 'active', ended)
end

-- What it may take ---------------------------------------------------------------------------------------------
local goal, gate_wait = 0, -1
-- In one command: whether anything but the usual is there.
local unusual = want > 0 and call('EXISTS', base .. 'asides', base .. 'ring:0', base .. 'ring:2') > 0
if want > 0 then
  -- Where it took some the short way nothing was due before.
  if due_at <= now and not share_left then
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

local told = {}
local broken = '{"code":"undecodable","message":"the stored job is damaged"}'
local function take(id, place, tenant)
  local job = read(id)
  if job.damaged then
    leave_line(tenant, 0)
    job.fixed = '0 000000 oif0 unknown 1 1 ' .. tenant .. ' ='
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
  if job.events == 'a' then
    job.from = int(open(job.topic).offset + 1)
    local json = event('started', id, job.kind, job.attempt)
    append(job.topic, string.sub(json, 1, -2) .. ',"from":' .. job.from .. '}')
  end
  add('active', int(now + lease), id)
  claims[#claims + 1] = id
  attempts[id] = job.attempt
end

-- Jobs that are met and not taken count too, so that a round is bounded.
local budget = goal + 256
for priority = unusual and 0 or 1, unusual and 2 or 1 do
  local ring = base .. 'ring:' .. priority
  local tenants = turns
  -- Each tenant in turn gives an equal share; the last share may leave room for another turn.
  while #claims < goal and budget > 0 and tenants ~= 0 do
    local tenant = call('ZPOPMIN', ring)[1]
    if not tenant then break end
    tenants = tenants or 1 + call('ZCARD', ring)
    ringed[priority .. ':' .. tenant] = nil
    budget = budget - 1
    local line = base .. 'wait:' .. priority .. ':' .. tenant
    local most, wait = room(tenant)
    local share = math.min(share_left or math.ceil(goal / tenants), goal - #claims, most)
    share_left = nil
    local more = true
    if share > 0 then
      local before = #claims
      unfold_front(line, share)
      local popped = call('ZPOPMIN', line, share)
      more = #popped == 2 * share
      if popped[1] then
        local ids = {}
        for i = 1, #popped, 2 do ids[#ids + 1] = popped[i] end
        preload(ids)
        for i = 1, #popped, 2 do take(popped[i], popped[i + 1], tenant) end
      end
      budget = budget - #popped / 2
      spend_rate(tenant, #claims - before)
    end
    if not more or call('ZCARD', line) == 0 then
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
write_back()
trim_all()

remember()
finish()

-- How long a worker that found less than it wanted may wait before something falls due.
local rest = -1
if #claims < want then
  rest = math.max(0, due_at - now)
  if gate_wait >= 0 and gate_wait < rest then rest = gate_wait end
end
if is_meant and #claims < want then
  call('ZADD', offers, now_text, offered)
  heard = { 1 }
end
return { statuses, give(), rest, run, {}, heard }
