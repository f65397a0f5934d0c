-- What has finished, and how long it is kept: arguments of every script that ends jobs.
local keep_completed_ms, keep_failed_ms, keep_jobs, keep_bytes = number(), number(), number(), number()
local keep_ms = { completed = keep_completed_ms, failed = keep_failed_ms, cancelled = keep_completed_ms }

-- Finished jobs are kept for a while; their logs go with them. What they take is counted, roughly, in bytes.
local function forget(ids, state)
  for i = 1, #ids, 64 do
    local last = math.min(i + 63, #ids)
    local keys, gone, kept_bytes = {}, {}, 0
    for j = i, last do keys[#keys + 1] = base .. 'job:' .. ids[j] end
    for j, raw in ipairs(call('MGET', unpack(keys))) do
      local id = ids[i + j - 1]
      local head = raw and string.match(raw, '^[^\n]*') or ''
      local job = jobs[id]
      if job then
        job.gone = true
        jobs[id], raws[id] = nil, false
      end
      if logs[id] then logs[id].gone = true end
      local kept = job and tonumber(job.kept) or tonumber(string.match(head, ' kept=(%d+)') or '')
      if not kept then
        -- It was lost: it took what its like take.
        local field = state .. '_bytes'
        kept = math.floor(((tonumber(call('HGET', base .. 'count', field)) or 0) + (changes[field] or 0)) /
          (call('ZCARD', base .. state) + 1))
      end
      kept_bytes = kept_bytes + kept
      gone[#gone + 1] = keys[j]
      -- The end of a job is in no list.
      if head == '' or not string.find(head, ' log=1:1:0:', 1, true) then gone[#gone + 1] = base .. 'log:' .. id end
      if head == '' or string.find(head, ' apart=', 1, true) then gone[#gone + 1] = base .. 'body:' .. id end
    end
    call('UNLINK', unpack(gone))
    change(state .. '_bytes', -kept_bytes)
  end
end

local function trim_finished(state, most)
  local key = base .. state
  local trimmed = 0
  local over = math.min(most, call('ZCARD', key) - keep_jobs)
  if over > 0 then
    local oldest, ids = call('ZPOPMIN', key, over), {}
    for i = 1, #oldest, 2 do ids[#ids + 1] = oldest[i] end
    forget(ids, state)
    trimmed = #ids
  end
  local field = state .. '_bytes'
  local bytes = counted[field] or tonumber(call('HGET', base .. 'count', field)) or 0
  while trimmed < most and bytes + (changes[field] or 0) > keep_bytes do
    local oldest = call('ZPOPMIN', key)
    if not oldest[1] then
      change(field, -bytes - (changes[field] or 0))
      break
    end
    forget({ oldest[1] }, state)
    trimmed = trimmed + 1
  end
  return trimmed
end

local function prune(state, most)
  local old = call('ZRANGE', base .. state, '-inf', int(now - keep_ms[state]), 'BYSCORE', 'LIMIT', 0, most)
  if #old > 0 then
    in_pieces('ZREM', base .. state, old)
    forget(old, state)
  end
  return #old
end

local finished = {}
-- For each job that ends, up to two old ones go. Those past their time are looked for once a second, and again at once
-- where there were more.
local function trim_all()
  local again = now + 1000
  for state, n in pairs(finished) do
    local most = n * 2 + 16
    if counted.prune <= now and prune(state, most) == most then again = now end
    trim_finished(state, most)
  end
  if counted.prune <= now and next(finished) then change('prune', again - counted.prune) end
end
