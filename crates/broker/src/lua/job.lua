-- Jobs. One is stored as one string. Its first line has a front, which changes, and what is fixed when it comes in:
--   <state> <attempt> <back>[ <name>=<value>]…;
--   <created> <born> <how><payload's bytes> <kind> <max> <priority> <tenant> <topic>[ <name>=<value>]…
-- A new one that waits has no state and numbers in its front yet. `born` is the beginning of the name of the run of Redis
-- in which it was stored; both it and `created` are as long for every job. `how` is three letters: `a` if all events are
-- told, `o` if its outcome is; `i` if its payload is inside, `x` if that is apart, in a key of its own that is written once;
-- `f` if it may wait for ever, `e` if it expires. The topic `=` is the job's own id. Then come its payload, what only workers
-- read, and its outcome: its result, or its error and in the lines after that where in the worker it happened. While it is
-- active its own log may be longer than it says. Jobs are read once a script, and written once, at its end. `stored.rs` reads the same form.
local touched = {}
local absent = { attempt = 0, bytes = 0 }

local parse
do
  local HEAD = '^(%l*)([^;]*);((%d+) (%w+) (%l)(%l)%l(%d+) (%S+) (%d+) (%d) (%S+) (%S+))([^\n]*)\n()'

  -- What can't be read can still end, so that it does not stop the others.
  local function damaged(id, raw)
    return { id = id, state = string.match(raw, '^%l+') or 'waiting', damaged = true, attempt = 0, back = 0, max = 1, priority = '1',
      fixed = '0 000000 oif0 unknown 1 1 public =', events = 'o', created = '0', born = '0', kind = 'unknown',
      tenant = 'public', topic = id, own = true, bytes = 0, inside = 0, body = '' }
  end

  function parse(id, raw)
    local state, front, fixed, created, born, events, body, size, kind, max, priority, tenant, topic, options, at =
      string.match(raw, HEAD)
    if not state then return damaged(id, raw) end
    local own = topic == '='
    local job = { id = id, state = state == '' and 'waiting' or state, attempt = 0, back = 0, fixed = fixed,
      max = tonumber(max), priority = priority, events = events, created = created, born = born, kind = kind,
      tenant = tenant, topic = own and id or topic, own = own, bytes = tonumber(size), apart = body == 'x',
      body = string.sub(raw, at), raw = raw }
    if front ~= '' then
      local attempt, back = string.match(front, '^ (%d+) (%d+)')
      job.attempt, job.back = tonumber(attempt) or 0, tonumber(back) or 0
      for name, value in string.gmatch(front, ' (%l+)=(%S+)') do job[name] = value end
    end
    if options ~= '' then
      for name, value in string.gmatch(options, ' (%l+)=(%S+)') do job[name] = value end
    end
    -- How much of the body is not the outcome.
    local extra = tonumber(job.extra) or 0
    job.inside = (job.apart and 0 or job.bytes) + extra
    job.bytes = job.bytes + extra
    return job
  end
end

local function read(id)
  local job = jobs[id]
  if not job then
    local raw = raws[id]
    if raw == nil then raw = call('GET', base .. 'job:' .. id) end
    if not raw then
      local name, held = parcel_of(base, id)
      if name then
        unfold(name, held)
        raw = raws[id]
      end
    end
    job = raw and parse(id, raw) or absent
    jobs[id] = job
  end
  return job
end

-- Says that a job has changed.
local function touch(job)
  if not job.touched then
    job.touched = true
    touched[#touched + 1] = job
  end
end

-- A job has one outcome: its latest error, until it has a result.
local function outcome(job) return string.sub(job.body, job.inside + 1) end
local function set_outcome(job, name, text)
  job.result, job.error = nil, nil
  job.body = string.sub(job.body, 1, job.inside)
  if name then
    job[name] = #text
    job.body = job.body .. text
  end
end

local encode
do
  local FRONT = { 'worker', 'started', 'place', 'due', 'from', 'cancel', 'finished', 'kept', 'log', 'result', 'error' }
  local FIXED = { 'extra', 'key', 'expires' }

  function encode(job)
    local parts = { job.state .. ' ' .. job.attempt .. ' ' .. job.back }
    local function options(names)
      for _, name in ipairs(names) do
        local value = job[name]
        if value then parts[#parts + 1] = ' ' .. name .. '=' .. value end
      end
    end
    options(FRONT)
    parts[#parts + 1] = ';' .. job.fixed
    options(FIXED)
    parts[#parts + 1] = '\n'
    parts[#parts + 1] = job.body
    return table.concat(parts)
  end
end

local function write_jobs()
  for _, job in ipairs(touched) do
    if not job.gone then
      job.raw = encode(job)
      pairs_to_set[#pairs_to_set + 1] = base .. 'job:' .. job.id
      pairs_to_set[#pairs_to_set + 1] = job.raw
    end
    job.touched = nil
  end
  touched = {}
  write_pairs()
end
