-- Stores a batch of new jobs, says so on their channels, and wakes a worker: one step, so that an announcement
-- always comes before its result. A job whose id is there already is left alone, which makes the batch safe to
-- send again when its answer was lost.

-- What came by an older placement than this partition knows may only go to what is here already: what is not may be
-- elsewhere by now. A newer placement is remembered.
local is_old = false
if placed ~= placement then
  local function generation(text) return tonumber(string.match(text, '^%d+')) or 0 end
  is_old = placement == '!' or generation(placement) < generation(placed)
  if not is_old then call('HSET', base .. 'count', 'placement', placement) end
end

max_waiting, max_bytes = settings.max_waiting or max_waiting, settings.max_bytes or max_bytes
-- How full the queue is, what this script adds included.
local holds, bytes_held = counted.waiting + call('ZCARD', base .. 'delayed'), counted.bytes

-- Where a batch may have been stored before, each of its jobs is looked for; so is one whose id was not made for it.
local is_again = stands_for ~= nil
local function is_there(id)
  return call('EXISTS', job_key .. id) == 1 or parcel_of(base, id) ~= nil
end

-- Whether there is no room for a job of this tenant.
local function is_full(tenant, bytes)
  if holds >= max_waiting or bytes_held + bytes > max_bytes then return true end
  local most = limits_of(tenant).max_waiting
  if not most then return false end
  local field = 'w:' .. tenant
  return (tonumber(call('HGET', base .. 'tenants', field)) or 0) + (tenant_changes[field] or 0) >= most
end

-- The reply of a job: what became of it (0 stored, 1 there already, 2 conflict, 3 full), its id, the epoch and
-- offset of its log, and of one that was there its state, result and error; or -1 if it has to go elsewhere. Whoever
-- guesses the id of another tenant's job learns nothing of it.
local function conflict(id) return { 2, id, '', 0, '', '', '' } end
local function known(id, tenant, topic)
  local job = read(id)
  if job.state and job.tenant ~= tenant then return conflict(id) end
  local log = open(job.topic or topic)
  return { 1, id, log.epoch, log.offset, job.state or '', job.result and outcome(job) or '',
    job.error and outcome(job) or '' }
end

-- A job that belongs to a key, is delayed, or may expire.
local function special(id, kind, tenant, payload, options)
  local delay, run_at, ttl, key = string.match(options, '^(%d+) (%d+) (%d+) (.*)$')
  delay, run_at, ttl = tonumber(delay), tonumber(run_at), tonumber(ttl)
  local due = run_at > 0 and run_at or now + delay
  local found = { due = due > now and due, expires = ttl > 0 and math.max(due, now) + ttl }
  if key ~= '' then
    local owner = base .. 'key:' .. tenant .. ':' .. key
    local digest = redis.sha1hex(kind .. ' ' .. payload)
    local claim = call('GET', owner)
    if claim then
      local other = sub(claim, 42)
      if sub(claim, 1, 40) == digest then found.owner = other else found.conflict = true end
    end
    found.key, found.claim = owner, digest .. ' ' .. id
    found.claim_ms = int(keep_key_ms + math.max(0, due - now))
  end
  return found
end

local reply, i = {}, 0
for _ = 1, groups do
  local mode, many, kind, tenant, topic, priority = arg(), number(), arg(), arg(), arg(), arg()
  local own, how = topic == '', A[cursor + 2]
  local apart, are_known = find(how, 'x', 1, true), sub(how, 1, 1) == 'k'
  cursor = cursor + 2
  for _ = 1, many do
    i = i + 1
    local id, head, payload, extra, say, options = arg(), arg(), '', '', '-', ''
    if mode == 'x' then
      payload, extra, say, options = arg(), arg(), arg(), arg()
    else
      local at
      head, at = string.match(head, '^([^\n]*)\n()')
      extra = sub(A[cursor], at)
      if mode == 's' then say = arg() end
      if apart then
        payload = arg()
      else
        local size = tonumber(string.match(head, '^%l+(%d+)'))
        payload, extra = sub(extra, 1, size), sub(extra, size + 1)
      end
    end
    local topic = own and id or topic
    local bytes = #payload + #extra
    local more = options ~= '' and special(id, kind, tenant, payload, options)
    local key = job_key .. id
    local there = (more or is_old or is_again or are_known or is_full(tenant, bytes)) and is_there(id)
    local claimed = more and (more.owner or more.conflict)
    if there then
      reply[i] = known(id, tenant, topic)
    elseif is_old and not claimed and (own or call('EXISTS', base .. 'top:' .. topic) == 0) then
      reply[i] = -1
    elseif more and more.conflict then
      reply[i] = conflict(id)
    elseif more and more.owner then
      -- Also one that was forgotten since, whose key still says that it was taken.
      reply[i] = known(more.owner, tenant, more.owner)
    elseif is_full(tenant, bytes) then
      count('refused')
      reply[i] = { 3, id, '', 1000 }
    else
      local delayed = more and more.due
      local front = delayed and 'delayed 0 0 due=' .. int(delayed) or ''
      local first = own and say ~= '-' and queued(id, kind, say)
      if first then front = front .. ' log=1:1:' .. #first .. ':' .. run .. ':' .. birth_epoch end
      if more and more.expires then head = head .. ' expires=' .. int(more.expires) end
      if not call('SET', key, front .. since .. head .. '\n' .. (apart and '' or payload) .. extra, 'NX') then
        reply[i] = known(id, tenant, topic)
      else
        if apart then call('SET', base .. 'body:' .. id, payload) end
        if more then
          if more.key then call('SET', more.key, more.claim, 'PX', more.claim_ms) end
          if more.expires then add('expiring', more.expires, id) end
        end
        holds, bytes_held = holds + 1, bytes_held + bytes
        if delayed then
          add('delayed', delayed, id)
          change('bytes', bytes)
          change_tenant('w', tenant, 1)
        else
          enlist(id, priority, tenant, next_number(), bytes)
        end
        count('enqueued')
        if first then
          begin_own_log(id, first)
          reply[i] = { 0, '', birth_epoch, 1 }
        elseif own then
          reply[i] = { 0, '', birth_epoch, 0 }
        else
          if say ~= '-' then append(topic, queued(id, kind, say)) end
          local log = open(topic)
          reply[i] = { 0, '', log.epoch, log.offset }
        end
      end
    end
  end
end
finish()
return reply
