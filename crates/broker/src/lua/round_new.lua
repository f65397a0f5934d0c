-- A round that only completes jobs as they were given, and takes new ones that ask for nothing special, is over here. What
-- else there is to do is left to what follows.
--
-- A round has a number; when its answer was lost the worker sends it again, and gets the same answer without anything being
-- done twice.
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

-- What it finished. Of tenants: how many of their jobs.
local statuses, ended, left, done, over, odd = {}, {}, {}, 0, false, nil
local subjects = { unpack(A, cursor + 1, cursor + ops) }
cursor = cursor + ops
local job_keys = preload(subjects)

-- Most attempts complete, and nothing was written about them since they began: then the front, which follows the state, is
-- as the worker got it. That is the fence, and all else that is needed comes with the operation.
local completed, completed_bytes, of_kind, of_topic, of_log = {}, 0, {}
local function complete(i, id, result, front, kept, size, before_time, tenant, topic, epoch)
  local raw = raws[id]
  if jobs[id] or not raw or find(raw, front, 7, true) ~= 7 or string.byte(raw, 7 + #front) ~= 59 then return false end
  local json, log = before_time .. now_text .. ',"data":' .. result .. '}', ''
  if find(result, '\n', 1, true) then json = string.gsub(json, '\n', ' ') end
  if topic == '' then
    -- The log of a job that was stored in another run of Redis goes on under another epoch.
    if sub(epoch, 14) ~= born then return false end
    log = ' log=1:1:0:' .. run .. ':' .. epoch
    call('PUBLISH', base .. 'ch:' .. id, published(epoch, '1', json))
  else
    if topic ~= of_topic then of_topic, of_log = topic, open_shared(topic) end
    append_line(of_log, json)
  end
  raw = 'completed' .. front .. ' finished=' .. now_text .. ' kept=' .. kept .. log .. ' result=' .. size .. ';' ..
    sub(raw, 8 + #front) .. result
  raws[id] = raw
  local last = #pairs_to_set
  pairs_to_set[last + 1], pairs_to_set[last + 2] = job_keys[i], raw
  completed[#completed + 1], statuses[i], ended[#ended + 1] = id, '1', id
  completed_bytes, left[tenant] = completed_bytes + tonumber(kept), (left[tenant] or 0) + 1
  -- Its event says its kind, after what is as long for every job.
  local kind = sub(before_time, 64, find(before_time, '"', 64, true) - 1)
  of_kind[kind] = (of_kind[kind] or 0) + 1
  return true
end

local function end_operations()
  over = true
  statuses = table.concat(statuses)
  in_pieces('ZREM', base .. 'active', ended)
  local n = #completed
  if n == 0 then return end
  local list = additions_to('completed')
  for i = 1, n do list[#list + 1], list[#list + 2] = now_text, completed[i] end
  change('completed', n)
  for kind, n in pairs(of_kind) do count_kind('completed', kind, n) end
  change('completed_bytes', completed_bytes)
  finished.completed = (finished.completed or 0) + n
end

-- What it may take ---------------------------------------------------------------------------------------------
local known
local function knows(kind)
  if kinds == '' or kind == kinds then return true end
  if not known then
    known = {}
    for name in string.gmatch(kinds, '[^ ]+') do known[name] = true end
  end
  return known[kind]
end

-- Most jobs are new, publish their outcome only, and can't expire: their front is replaced, and nothing else is looked at.
-- Goes through those that left the line of a tenant, ids and places in turn, and stops at the first that is not like that.
local claims, ids = {}, {}
local function take_new(tenant, popped, keys, from)
  local beginning = 'active 1 0 worker=' .. worker .. ' started=' .. now_text .. ' place='
  local deadline, active, n, bytes = int(now + lease), additions_to('active'), 0, 0
  local stop
  for i = from, #keys do
    local id, place = popped[2 * i - 1], popped[2 * i]
    local raw = raws[id]
    local kind, size
    if raw and not jobs[id] and string.byte(raw, 8) == 59 then
      kind, size = string.match(raw, '^waiting;%d+ %d o %d+ %w+ (%S+) %S+ %S+ (%d+)\n')
    end
    if not kind or not knows(kind) then
      stop = i
      break
    end
    raw = beginning .. place .. sub(raw, 8)
    raws[id] = raw
    local last = #pairs_to_set
    pairs_to_set[last + 1], pairs_to_set[last + 2] = keys[i], raw
    last = #active
    active[last + 1], active[last + 2] = deadline, id
    claims[#claims + 1], ids[#ids + 1] = id, id
    n, bytes = n + 1, bytes + tonumber(size)
  end
  if n > 0 then
    change('waiting', -n)
    change('bytes', -bytes)
    change_tenant('w', tenant, -n)
    change_tenant('a', tenant, n)
    due_at = math.min(due_at, now + lease)
  end
  return stop
end
local function preload_popped(popped)
  local popped_ids = {}
  for i = 1, #popped, 2 do popped_ids[#popped_ids + 1] = popped[i] end
  return preload(popped_ids)
end

local function remember()
  if ops == 0 and #claims == 0 then return end
  call('SET', memory, round .. ';' .. statuses .. ';' .. table.concat(ids, ','), 'PX', 3600000)
end

local is_repeated = find(call('GETRANGE', memory, 0, 31), round .. ';', 1, true) == 1
repeat
  if is_repeated or counted.settings > 0 or counted.parked > 0 or want > 0 and due_at <= now then break end
  if want > 0 and call('EXISTS', base .. 'asides', base .. 'ring:0', base .. 'ring:2') > 0 then break end
  while done < ops and A[cursor + 1] == 'given' do
    local _, result, front, kept, size, before_time, tenant, topic, epoch = unpack(A, cursor + 2, cursor + 10)
    if #topic == 26 or
      not complete(done + 1, subjects[done + 1], result, front, kept, size, before_time, tenant, topic, epoch) then break end
    done, cursor = done + 1, cursor + 10
  end
  if done < ops then break end
  end_operations()
  for tenant, n in pairs(left) do change_tenant('a', tenant, -n) end

  local tenants
  while #claims < want and not odd do
    local tenant = call('ZPOPMIN', base .. 'ring:1')[1]
    if not tenant then break end
    tenants = tenants or 1 + call('ZCARD', base .. 'ring:1')
    ringed['1:' .. tenant] = nil
    local line = base .. 'wait:1:' .. tenant
    local share = math.min(math.ceil(want / tenants), want - #claims)
    local popped = call('ZPOPMIN', line, share)
    if popped[1] then
      local keys = preload_popped(popped)
      local stop = take_new(tenant, popped, keys, 1)
      if stop then odd = { tenant, popped, keys, stop } end
    end
    if #popped < 2 * share or call('ZCARD', line) == 0 then tenants = tenants - 1 else to_ring(1, tenant) end
    if tenants == 0 then break end
  end
  if odd then break end

  for _, log in ipairs(opened) do close_log(log) end
  write_additions()
  write_pairs()
  trim_all()
  remember()
  write_counters()
  if #claims == want and (next(ringed) or call('EXISTS', base .. 'ring:0', base .. 'ring:1', base .. 'ring:2') > 0) then
    wake()
  end
  do return { statuses, give(claims), #claims < want and math.max(0, due_at - now) or -1 } end
until true
