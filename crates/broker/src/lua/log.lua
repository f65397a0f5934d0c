-- Event logs. A log is a list of events with dense offsets, and beside it its position: e(poch), o(ffset of the newest),
-- f(irst offset kept), b(ytes kept), r(un of Redis that wrote it), p(revious epochs, each with its last offset). A job
-- that has a channel of its own holds the position itself, and tells its end itself, which is in no list; other positions
-- are hashes. A log is opened once a script and written back once.
local logs, opened = {}, {}

-- Which run of Redis this is. It may have lost writes of the run before, whose offsets are given out again: so an old log
-- goes on under another epoch, and keeps how far the old one can be trusted.
local run
local function this_run()
  if not run then
    local info = redis.pcall('INFO', 'server')
    run = type(info) == 'string' and string.match(info, 'run_id:(%x+)') or ''
    run = run == '' and '0' or string.sub(run, 1, 12)
  end
  return run
end
-- What a job keeps of the run in which it was stored.
local function birth() return string.sub(this_run(), 1, 6) end

local function continue(log)
  local former = (log.former ~= '' and log.former .. ' ' or '') .. log.epoch .. ' ' .. int(log.offset)
  -- The latest eight are enough for who was away a while.
  local _, words = string.gsub(former, ' ', '')
  while words > 15 do former, words = string.gsub(former, '^%S+ %S+ ', '', 1), words - 2 end
  log.former, log.epoch = former, fresh_epoch
end

-- The log of a job's own channel begins with the job. Until it has an event the job alone says where it is.
local function open_own(log, job)
  log.job = job
  local offset, first, bytes, last_run, epoch, former
  if job.log then
    offset, first, bytes, last_run, epoch, former = string.match(job.log, '^(%d+):(%d+):(%d+):(%w+):(%w+):?(.*)$')
  end
  log.offset, log.first, log.bytes = tonumber(offset) or 0, tonumber(first) or 1, tonumber(bytes) or 0
  log.epoch, log.former = epoch or job.created .. job.born, former and string.gsub(former, '/', ' ') or ''
  if last_run then
    if last_run ~= this_run() then continue(log) end
  elseif job.born ~= birth() then
    continue(log)
  end
end
local function open(topic)
  local log = logs[topic]
  if log then return log end
  log = { key = base .. 'log:' .. topic, channel = base .. 'ch:' .. topic, out = {}, size = 0, fresh = {} }
  local job = read and #topic == 26 and read(topic)
  if job and job.own then
    open_own(log, job)
  else
    log.top = base .. 'top:' .. topic
    local top = redis.call('HMGET', log.top, 'e', 'o', 'f', 'b', 'r', 'p')
    if top[1] then
      log.epoch, log.offset, log.first, log.bytes = top[1], tonumber(top[2]), tonumber(top[3]), tonumber(top[4])
      log.former = top[6] or ''
      if top[5] ~= this_run() then continue(log) end
    else
      log.epoch, log.offset, log.first, log.bytes = fresh_epoch, 0, 1, 0
      log.former = ''
    end
  end
  logs[topic] = log
  opened[#opened + 1] = log
  return log
end

-- Puts what was appended in the list, which then holds what the position says: no more, where something of an earlier
-- incarnation was left, and no less, where the list was lost.
local function store(log)
  local n = #log.fresh
  if n == 0 then return end
  local length
  for i = 1, n, 128 do length = redis.call('RPUSH', log.key, unpack(log.fresh, i, math.min(i + 127, n))) end
  log.fresh = {}
  local wanted = log.offset - log.first + (log.told and 0 or 1)
  if length > wanted then
    redis.call('LTRIM', log.key, -wanted, -1)
  elseif length < wanted then
    log.first = log.first + wanted - length
    log.bytes = 0
    for _, json in ipairs(redis.call('LRANGE', log.key, 0, -1)) do log.bytes = log.bytes + #json end
  end
end

local function publish(log)
  if #log.out == 0 then return end
  -- In pieces, since Lua reads each string that it makes from end to end.
  redis.call('PUBLISH', log.channel, table.concat(log.out, '', 1, #log.out - 1))
  log.out, log.size = {}, 0
end

-- The last event of a job's own log is `told` by the job.
local function append(topic, json, told)
  -- A message has an event a line. In JSON a bare line break is nothing but space.
  if string.find(json, '\n', 1, true) then json = string.gsub(json, '\n', ' ') end
  local log = open(topic)
  log.offset = log.offset + 1
  if told and log.job then
    log.told = true
  else
    log.fresh[#log.fresh + 1] = json
    log.bytes = log.bytes + #json
  end
  local out = log.out
  local n = #out
  out[n + 1], out[n + 2], out[n + 3], out[n + 4] = '{"epoch":"', log.epoch, '","offset":', log.offset
  out[n + 5], out[n + 6], out[n + 7], out[n + 8] = ',"event":', json, '}', '\n'
  log.size = log.size + #json
  -- A message on a channel stays far below a subscriber's output limit.
  if log.size > 262144 then
    store(log)
    publish(log)
  end
  return log
end

-- Takes the oldest events away while `over(log)` holds, in strides.
local function shorten(log, over)
  local rounds = 0
  while over(log) and rounds < 20 do
    rounds = rounds + 1
    local oldest = redis.call('LRANGE', log.key, 0, 127)
    if #oldest == 0 then break end
    local n = 0
    while n < #oldest and over(log) do
      n = n + 1
      log.first = log.first + 1
      log.bytes = log.bytes - #oldest[n]
    end
    redis.call('LTRIM', log.key, n, -1)
  end
end

-- Trims in strides, so that an entry is read at most once more than it was written. The newest always stays.
local function trim(log)
  if log.offset - log.first + 1 > log_max_events + math.ceil(log_max_events / 8) or log.bytes > log_max_bytes then
    shorten(log, function()
      return log.first < log.offset and
        (log.offset - log.first + 1 > log_max_events or log.bytes > log_max_bytes - log_max_bytes / 8)
    end)
  end
end

local function write_top(log)
  redis.call('HSET', log.top, 'e', log.epoch, 'o', int(log.offset), 'f', int(log.first), 'b', int(log.bytes),
    'r', this_run())
  if log.former ~= '' then redis.call('HSET', log.top, 'p', log.former) end
end

local function close_logs()
  for _, log in ipairs(opened) do
    if not log.gone then
      local grown = log.told or #log.fresh > 0
      store(log)
      trim(log)
      if not log.job then
        write_top(log)
        redis.call('PEXPIRE', log.top, log_ttl)
        redis.call('PEXPIRE', log.key, log_ttl)
      elseif grown then
        local job = log.job
        job.log = int(log.offset) .. ':' .. int(log.first) .. ':' .. int(log.bytes) .. ':' .. this_run() .. ':' .. log.epoch
        if log.former ~= '' then job.log = job.log .. ':' .. string.gsub(log.former, ' ', '/') end
        touch(job)
      end
    end
    publish(log)
  end
  logs, opened = {}, {}
end

-- Names, ids and numbers need no escaping in JSON; data and errors come as JSON.
local function event(kind_of_event, id, kind, attempt, data, err, time)
  local before_data, before_error = '', ''
  if data and data ~= '' then before_data = ',"data":' else data = '' end
  if err and err ~= '' then before_error = ',"error":' else err = '' end
  return '{"type":"' .. kind_of_event .. '","job":"' .. id .. '","kind":"' .. kind .. '","attempt":' .. attempt ..
    ',"time":' .. (time or now) .. before_data .. data .. before_error .. err .. '}'
end
