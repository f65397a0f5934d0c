-- Event logs. A log is a list of events with dense offsets, and beside it its position: e(poch), o(ffset of the newest),
-- f(irst offset kept), b(ytes kept), r(un of Redis that wrote it), p(revious epochs, each with its last offset), and its
-- segments. A job that has a channel of its own holds the position itself, and tells its end itself, which is in no list;
-- other positions are hashes. A log is opened once a script and written back once.
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
  return { key = base .. 'log:' .. topic, channel = base .. 'ch:' .. topic, out = {}, fresh = {} }
end
-- The log of a topic is cut between its segments, so that no event has to be read again to know how long it was. A segment
-- has up to an eighth of the events and bytes that a log may have, or one event: `m` says how many of each are in those that
-- are full, `n` and `s` in the newest. Other logs have none.
local grow, survey, cut
do
  local MOST, MOST_BYTES = math.ceil(log_max_events / 8), math.ceil(log_max_bytes / 8)
  local function add(log, n, bytes)
    local many, size = log.newest + n, log.newest_bytes + bytes
    if many > n and (many > MOST or size > MOST_BYTES) then
      log.full = log.full .. int(log.newest) .. ':' .. int(log.newest_bytes) .. ' '
      many, size = n, bytes
    end
    log.newest, log.newest_bytes = many, size
  end

  function grow(log, lines, bytes)
    if #lines <= MOST and bytes <= MOST_BYTES then return add(log, #lines, bytes) end
    for i = 1, #lines do add(log, 1, #lines[i]) end
  end

  -- Finds out from the list how long its events are.
  function survey(log)
    log.bytes = 0
    if log.full then log.full, log.newest, log.newest_bytes = '', 0, 0 end
    for _, json in ipairs(call('LRANGE', log.key, 0, -1)) do
      log.bytes = log.bytes + #json
      if log.full then add(log, 1, #json) end
    end
  end

  -- Takes the oldest segments away; the newest stays. So a log has as many events as it may, and up to a segment more.
  function cut(log)
    local kept, gone = log.offset - log.first + 1, 0
    if kept <= log_max_events + MOST and log.bytes <= log_max_bytes then return end
    repeat
      local many, bytes, rest = string.match(log.full, '^(%d+):(%d+) (.*)$')
      many = tonumber(many)
      local is_over = many and (kept - many >= log_max_events or log.bytes > log_max_bytes - MOST_BYTES)
      if is_over then log.full, kept, gone, log.bytes = rest, kept - many, gone + many, log.bytes - bytes end
    until not is_over
    if gone > 0 then
      log.first = log.first + gone
      call('LTRIM', log.key, gone, -1)
    end
    -- Somebody has added to it who knows nothing of segments, as an earlier version does.
    if kept > log_max_events + MOST then survey(log) end
  end
end

-- A log that is no job's own.
local function open_shared(topic, is_room)
  local log = logs[topic]
  if log then return log end
  log = begin(topic)
  log.top = base .. 'top:' .. topic
  local top = call('HMGET', log.top, 'e', 'o', 'f', 'b', 'r', 'p', 't', 'm', 'n', 's')
  log.lives_from = tonumber(top[7]) or 0
  if not is_room then
    log.written, log.full = top[8], top[8] or ''
    log.newest, log.newest_bytes = tonumber(top[9]) or 0, tonumber(top[10]) or 0
  end
  if top[1] then
    log.epoch, log.offset, log.first, log.bytes = top[1], tonumber(top[2]), tonumber(top[3]), tonumber(top[4])
    log.former = top[6] or ''
    if top[5] ~= run then continue(log) end
    if log.full and not log.written then survey(log) end
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
    survey(log)
  end
end

local function published(epoch, offset, json)
  return '{"epoch":"' .. epoch .. '","offset":' .. offset .. ',"event":' .. json .. '}'
end
-- Publishes events that follow each other in a log from this offset on, or, with offset 0, are in none. A message has an event a
-- line; the first says where it is. Lua joins up to 8 KiB at once, and what is longer in pieces that it reads again: so a
-- message is no longer, but for one event. That is far below a subscriber's output limit, too.
local function publish_lines(channel, epoch, offset, lines)
  local from, n = 1, #lines
  while from <= n do
    local to, size = from, #lines[from]
    while to < n and size + #lines[to + 1] < 8000 do
      to = to + 1
      size = size + 1 + #lines[to]
    end
    lines[from] = published(epoch, offset > 0 and int(offset + from - 1) or '0', lines[from])
    call('PUBLISH', channel, from < to and table.concat(lines, '\n', from, to) or lines[from])
    from = to + 1
  end
end
local function publish(log)
  publish_lines(log.channel, log.epoch, log.offset - #log.out + 1, log.out)
  log.out = {}
end

-- Adds events of one line each, of so many bytes together.
local function append_lines(log, lines, bytes)
  local fresh, out, n = log.fresh, log.out, #lines
  local had, waits = #fresh, #out
  for i = 1, n do fresh[had + i], out[waits + i] = lines[i], lines[i] end
  log.offset, log.bytes, log.changed = log.offset + n, log.bytes + bytes, true
  if log.full then grow(log, lines, bytes) end
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

-- `lives_from`: from when on the keys' time to live was counted last.
local function write_top(log)
  local newest = log.full and { 'n', int(log.newest), 's', int(log.newest_bytes) } or {}
  call('HSET', log.top, 'e', log.epoch, 'o', int(log.offset), 'f', int(log.first), 'b', int(log.bytes), 'r', run, 't',
    int(log.lives_from), unpack(newest))
  if log.full ~= log.written then call('HSET', log.top, 'm', log.full) end
  if log.former ~= '' then call('HSET', log.top, 'p', log.former) end
end

local close_log
do
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

  function close_log(log)
    store(log)
    cut(log)
    keep(log)
    publish(log)
  end
end
