-- Moves that more than one script makes.

-- Finished jobs -------------------------------------------------------------------------------------------------
local function finish_one(id, state, kept, code)
  add(state, now_text .. fraction(code), id)
  change(state .. '_bytes', kept)
  count(state)
  finished[state] = (finished[state] or 0) + 1
end
-- The one way into a terminal state, together with its event. How a job ended is told for as long as it is kept.
local function close(id, job, state, data, err)
  local log = append(job.topic, event(state, id, job.kind, job.attempt, data, err), true)
  local kept, has_log = 512 + job.bytes + #(data or '') + #(err or ''), false
  if job.own then
    kept = kept + 256 + log.bytes
    has_log = log.bytes > 0
  end
  local code = code_for(kept, has_log, job.apart)
  kept = decode(code)
  job.state, job.finished, job.kept = state, now_text, int(kept)
  if data then
    job.cancel = nil
    set_outcome(job, 'result', data)
  elseif err then
    set_outcome(job, 'error', err)
  end
  touch(job)
  finish_one(id, state, kept, code)
end

-- Active jobs ---------------------------------------------------------------------------------------------------
local function has_attempts(job) return job.attempt - job.back < job.max end

local freed = {}
local function leave_active(tenant, n)
  change_tenant('a', tenant, -(n or 1))
  if freed[tenant] then return end
  freed[tenant] = true
  if counted.parked > 0 and call('ZREM', base .. 'parked', tenant) == 1 then unpark(tenant) end
end

-- Back to the place in line that it had.
local function to_line(id, job)
  settle_own_log(job)
  job.state = 'waiting'
  touch(job)
  enlist(id, job.priority, job.tenant, job.place or next_number(), job.bytes)
  if job.expires and job.attempt <= job.back then add('expiring', job.expires, id) end
end

-- Jobs whose worker stopped renewing: again if they have attempts left, else failed.
local lost = '{"code":"lease_lost","message":"the worker stopped renewing its lease"}'
local function sweep(most)
  local function those() return call('ZRANGE', base .. 'active', '-inf', int(now), 'BYSCORE', 'LIMIT', 0, most) end
  local late, unfolded = those(), 0
  for _, name in ipairs(late) do
    if unfolded >= most then break end
    if string.byte(name) == 64 then unfolded = unfolded + unfold(name) end
  end
  if unfolded > 0 then late = those() end
  in_pieces('ZREM', base .. 'active', late)
  preload(late)
  for _, id in ipairs(late) do
    local job = read(id)
    if job.state == 'active' then
      count('lost')
      leave_active(job.tenant)
      if job.cancel then
        close(id, job, 'cancelled')
      elseif has_attempts(job) then
        set_outcome(job, 'error', lost)
        to_line(id, job)
        if job.events == 'a' then append(job.topic, event('retrying', id, job.kind, job.attempt, nil, lost)) end
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
  write_additions()
  if job.state == 'delayed' then
    call('ZREM', base .. 'delayed', id)
    leave_delayed(job.tenant, job.bytes)
  else
    local line = base .. 'wait:' .. job.priority .. ':' .. job.tenant
    if call('ZREM', line, id) == 0 then
      call('ZREM', base .. 'aside:' .. job.kind, id)
    elseif call('ZCARD', line) == 0 then
      call('ZREM', base .. 'ring:' .. job.priority, job.tenant)
      ringed[job.priority .. ':' .. job.tenant] = nil
    end
    leave_line(job.tenant, job.bytes)
  end
  if job.expires then call('ZREM', base .. 'expiring', id) end
end

-- Jobs whose time to live was over before an attempt began.
local expired = '{"code":"expired","message":"the job\'s time to live was over before an attempt began"}'
local function expire(most)
  write_additions()
  local late = call('ZRANGE', base .. 'expiring', '-inf', int(now), 'BYSCORE', 'LIMIT', 0, most)
  preload(late)
  for _, id in ipairs(late) do
    call('ZREM', base .. 'expiring', id)
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
  local due = call('ZRANGE', base .. 'delayed', '-inf', int(now), 'BYSCORE', 'LIMIT', 0, most)
  in_pieces('ZREM', base .. 'delayed', due)
  preload(due)
  for _, id in ipairs(due) do
    local job = read(id)
    if job.state == 'delayed' then
      local place = next_number()
      leave_delayed(job.tenant, job.bytes)
      job.state = 'waiting'
      touch(job)
      enlist(id, job.priority, job.tenant, place, job.bytes)
    end
  end
  local parked = call('ZRANGE', base .. 'parked', '-inf', int(now), 'BYSCORE', 'LIMIT', 0, most)
  in_pieces('ZREM', base .. 'parked', parked)
  for _, tenant in ipairs(parked) do unpark(tenant) end
  return #due
end

-- Kinds ---------------------------------------------------------------------------------------------------------
-- A live worker that has the kind, or else one that has every kind.
local function who_knows(kind)
  local function live(name)
    return call('ZRANGE', base .. 'kind:' .. name, '(' .. int(now), '+inf', 'BYSCORE', 'LIMIT', 0, 1)[1]
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
  if call('EXISTS', base .. 'asides') == 0 then return moved end
  for _, kind in ipairs(call('SMEMBERS', base .. 'asides')) do
    local aside = base .. 'aside:' .. kind
    local mine = knows(kind)
    if moved < most and (mine or not who_knows(kind)) then
      local popped = call('ZPOPMIN', aside, most - moved)
      for i = 1, #popped, 2 do
        local job = read(popped[i])
        moved = moved + 1
        leave_line(job.tenant, job.bytes)
        if job.state == 'waiting' then
          if mine then
            enlist(popped[i], job.priority, job.tenant, popped[i + 1], job.bytes)
          else
            if job.expires then call('ZREM', base .. 'expiring', popped[i]) end
            fail_unknown(popped[i], job)
          end
        end
      end
    end
    if call('EXISTS', aside) == 0 then call('SREM', base .. 'asides', kind) end
  end
  return moved
end
