-- Jobs. One is stored as one string: a head line, then its payload, what only workers read, and its outcome:
--   <state> <attempt> <back> <max> <priority> <events> <created> <born> <kind> <tenant> <topic> <payload's bytes>[ <name>=<value>]…
-- `=` as topic is the job's own id, and `born` the run of Redis in which it was stored. A long payload is apart, in a
-- key of its own that is written once. Jobs are read once a script, and written once, at its end.
local jobs, touched = {}, {}
local HEAD = '^(%a+) (%d+) (%d+) ((%d+) (%d) (%a+) (%d+) (%w+) (%S+) (%S+) (%S+) (%d+))([^\n]*)\n()'
local OPTIONS = { 'extra', 'apart', 'key', 'expires', 'place', 'due', 'started', 'worker', 'from', 'cancel', 'finished',
  'kept', 'log', 'result', 'error' }
local absent = { attempt = 0, bytes = 0 }

-- What can't be read can still end, so that it does not stop the others.
local function damaged(id, raw)
  return { id = id, state = string.match(raw, '^%l+'), damaged = true, attempt = 0, back = 0, max = 1, priority = '1',
    fixed = '1 1 outcome 0 0 unknown public = 0', events = 'outcome', created = '0', born = '0', kind = 'unknown',
    tenant = 'public', topic = id, own = true, bytes = 0, body = '' }
end

local function parse(id, raw)
  local state, attempt, back, fixed, max, priority, events, created, born, kind, tenant, topic, size, options, at =
    string.match(raw, HEAD)
  if not state then return damaged(id, raw) end
  local own = topic == '='
  local job = { id = id, state = state, attempt = tonumber(attempt), back = tonumber(back), fixed = fixed,
    max = tonumber(max), priority = priority, events = events, created = created, born = born, kind = kind,
    tenant = tenant, topic = own and id or topic, own = own, bytes = tonumber(size), body = string.sub(raw, at),
    raw = raw }
  if options ~= '' then
    for name, value in string.gmatch(options, ' (%l+)=(%S+)') do job[name] = value end
    if job.extra then job.bytes = job.bytes + tonumber(job.extra) end
  end
  return job
end

local function preload(ids)
  local keys, missing = {}, {}
  for _, id in ipairs(ids) do
    if jobs[id] == nil then
      missing[#missing + 1] = id
      keys[#keys + 1] = base .. 'job:' .. id
    end
  end
  for i = 1, #keys, 128 do
    local raws = redis.call('MGET', unpack(keys, i, math.min(i + 127, #keys)))
    for j, raw in ipairs(raws) do
      local id = missing[i + j - 1]
      jobs[id] = raw and parse(id, raw) or absent
    end
  end
end

local function read(id)
  local job = jobs[id]
  if not job then
    local raw = redis.call('GET', base .. 'job:' .. id)
    job = raw and parse(id, raw) or absent
    jobs[id] = job
  end
  return job
end

-- Says that a job has changed. Without a time it is kept for ever.
local function touch(job, keep)
  job.keep = keep
  if not job.touched then
    job.touched = true
    touched[#touched + 1] = job
  end
end

-- A job has one outcome: its latest error, until it has a result.
local function set_outcome(job, name, text)
  job.result, job.error = nil, nil
  job.body = string.sub(job.body, 1, job.apart and 0 or job.bytes)
  if name then
    job[name] = #text
    job.body = job.body .. text
  end
end

local function encode(job)
  local parts = { job.state .. ' ' .. job.attempt .. ' ' .. job.back .. ' ' .. job.fixed }
  local n = 1
  for _, name in ipairs(OPTIONS) do
    local value = job[name]
    if value then
      n = n + 1
      parts[n] = ' ' .. name .. '=' .. value
    end
  end
  parts[n + 1] = '\n'
  parts[n + 2] = job.body
  return table.concat(parts)
end

local function write_jobs()
  local pairs_to_set = {}
  for _, job in ipairs(touched) do
    if not job.gone then
      local key = base .. 'job:' .. job.id
      job.raw = encode(job)
      if job.keep then
        redis.call('SET', key, job.raw, 'PX', job.keep)
        if job.apart then redis.call('PEXPIRE', base .. 'body:' .. job.id, job.keep) end
      else
        pairs_to_set[#pairs_to_set + 1] = key
        pairs_to_set[#pairs_to_set + 1] = job.raw
      end
    end
    job.touched = nil
  end
  for i = 1, #pairs_to_set, 128 do
    redis.call('MSET', unpack(pairs_to_set, i, math.min(i + 127, #pairs_to_set)))
  end
  touched = {}
end
