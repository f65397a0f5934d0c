-- Event logs. A log is a list of events with dense offsets, and beside it its position: e(poch), o(ffset of the newest),
-- f(irst offset kept), b(ytes kept), r(un of Redis that wrote it), p(revious epochs, each with its last offset). A job
-- that has a channel of its own holds the position itself, and tells its end itself, which is in no list; other positions
-- are hashes. A log is opened once a script and written back once.
local logs, opened = {}, {}

-- Redis may have lost writes of the run before this one, whose offsets are given out again: so an old log goes on under
-- another epoch, and keeps how far the old one can be trusted. A job keeps the beginning of the name of the run in which
-- it was stored.
local born = sub(run, 1, 6)

local function continue(log)
  local former = (log.former ~= '' and log.former .. ' ' or '') .. log.epoch .. ' ' .. int(log.offset)
  -- The latest eight are enough for who was away a while.
  local _, words = string.gsub(former, ' ', '')
  while words > 15 do former, words = string.gsub(former, '^%S+ %S+ ', '', 1), words - 2 end
  log.former, log.epoch, log.changed = former, fresh_epoch, true
end

local function begin(topic)
  return { key = base .. 'log:' .. topic, channel = base .. 'ch:' .. topic, out = {}, size = 0, fresh = {} }
end
-- A log that is no job's own.
local function open_shared(topic)
  local log = logs[topic]
  if log then return log end
  log = begin(topic)
  log.top = base .. 'top:' .. topic
  local top = call('HMGET', log.top, 'e', 'o', 'f', 'b', 'r', 'p', 't')
  log.lives_from = tonumber(top[7]) or 0
  if top[1] then
    log.epoch, log.offset, log.first, log.bytes = top[1], tonumber(top[2]), tonumber(top[3]), tonumber(top[4])
    log.former = top[6] or ''
    if top[5] ~= run then continue(log) end
  else
    log.epoch, log.offset, log.first, log.bytes = fresh_epoch, 0, 1, 0
    log.former = ''
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
  for i = 1, n, 256 do length = call('RPUSH', log.key, unpack(log.fresh, i, math.min(i + 255, n))) end
  log.fresh = {}
  -- A key that was made anew has no end.
  if length <= n then log.lives_from = 0 end
  local wanted = log.offset - log.first + (log.told and 0 or 1)
  if length > wanted then
    call('LTRIM', log.key, -wanted, -1)
  elseif length < wanted then
    log.first = log.first + wanted - length
    log.bytes = 0
    for _, json in ipairs(call('LRANGE', log.key, 0, -1)) do log.bytes = log.bytes + #json end
  end
end

-- A message has an event a line. The first says where it is; those that follow it in the log follow it in the message.
local function published(epoch, offset, json)
  return '{"epoch":"' .. epoch .. '","offset":' .. offset .. ',"event":' .. json .. '}'
end
local function publish(log)
  local out = log.out
  if not out[1] then return end
  out[1] = published(log.epoch, int(log.offset - #out + 1), out[1])
  call('PUBLISH', log.channel, out[2] and table.concat(out, '\n') or out[1])
  log.out, log.size = {}, 0
end

-- A message on a channel stays far below a subscriber's output limit: after so many bytes another begins.
local MESSAGE = 262144

-- Adds events of one line each, of so many bytes together.
local function append_lines(log, lines, size)
  local fresh, out, n = log.fresh, log.out, #lines
  local had, waits = #fresh, #out
  for i = 1, n do fresh[had + i], out[waits + i] = lines[i], lines[i] end
  log.offset, log.bytes, log.size, log.changed = log.offset + n, log.bytes + size, log.size + size, true
  if log.size > MESSAGE then
    store(log)
    publish(log)
  end
end
local function append_line(log, json) append_lines(log, { json }, #json) end

-- Takes the oldest events away while `over(log)` holds, in strides.
local function shorten(log, over)
  local rounds = 0
  while over(log) and rounds < 20 do
    rounds = rounds + 1
    local oldest = call('LRANGE', log.key, 0, 127)
    if #oldest == 0 then break end
    local n = 0
    while n < #oldest and over(log) do
      n = n + 1
      log.first = log.first + 1
      log.bytes = log.bytes - #oldest[n]
    end
    call('LTRIM', log.key, n, -1)
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

-- `lives_from`: from when on the keys' time to live was counted last.
local function write_top(log)
  call('HSET', log.top, 'e', log.epoch, 'o', int(log.offset), 'f', int(log.first), 'b', int(log.bytes), 'r', run,
    't', int(log.lives_from))
  if log.former ~= '' then call('HSET', log.top, 'p', log.former) end
end

-- Keeps a log for its time from its newest event on, and up to an eighth longer, so that not each event has to say so.
local function keep(log)
  local since = now - log.lives_from
  if since >= 0 and since < log_ttl / 8 then return write_top(log) end
  log.lives_from = now
  write_top(log)
  local lives = int(log_ttl + log_ttl / 8)
  call('PEXPIRE', log.top, lives)
  call('PEXPIRE', log.key, lives)
end

local function close_log(log)
  store(log)
  trim(log)
  keep(log)
  publish(log)
end
