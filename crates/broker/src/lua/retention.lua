-- What has finished, and how long it is kept.
local keep_ms = { completed = keep_completed_ms, failed = keep_failed_ms, cancelled = keep_completed_ms }

-- Finished jobs are kept for a while; their logs go with them. Ids and scores are given in turn.
local function forget(popped, state)
  for i = 1, #popped, 2 do
    local id = popped[i]
    if jobs[id] then
      jobs[id].gone = true
      jobs[id], raws[id] = nil, false
    end
    if logs[id] then logs[id].gone = true end
  end
  local bytes, more = unlink(popped)
  change(state .. '_bytes', -bytes)
  if more > 0 then call('HINCRBY', base .. 'count', state .. '_more', -more) end
  return more
end

local function forget_oldest(state, most, most_bytes)
  local popped, jobs, part, bytes = pop_oldest(base .. state, most, more_of(state), most_bytes)
  forget(popped, state)
  if part > 0 then
    change(state .. '_bytes', -bytes)
    call('HINCRBY', base .. 'count', state .. '_more', -part)
  end
  return jobs
end

local function trim_finished(state, most)
  local key = base .. state
  local trimmed = 0
  local over = math.min(most, call('ZCARD', key) + more_of(state) - keep_jobs)
  if over > 0 then trimmed = forget_oldest(state, over) end
  local field = state .. '_bytes'
  local bytes = counted[field] or tonumber(call('HGET', base .. 'count', field)) or 0
  while trimmed < most and bytes + (changes[field] or 0) > keep_bytes do
    local forgotten = forget_oldest(state, 1, bytes + (changes[field] or 0) - keep_bytes)
    if forgotten == 0 then
      change(field, -bytes - (changes[field] or 0))
      break
    end
    trimmed = trimmed + forgotten
  end
  return trimmed
end

-- Says how many members are gone, which are at most so many, and how many jobs those were.
local function prune(state, most)
  local key = base .. state
  local old = call('ZRANGE', key, '-inf', int(now - keep_ms[state]) .. '.9999', 'BYSCORE', 'LIMIT', 0, most, 'WITHSCORES')
  local ids = {}
  for i = 1, #old, 2 do ids[#ids + 1] = old[i] end
  local more = 0
  if #ids > 0 then
    in_pieces('ZREM', key, ids)
    more = forget(old, state)
  end
  return #ids, #ids + more
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
