-- Event logs. A log is a stream whose entry ids are `<offset>-0`, and a hash beside it: e(poch), o(ffset of the
-- newest), f(irst offset kept), b(ytes kept), r(un of Redis that wrote it), p(revious epochs, each with its last offset).
-- A log is opened once a script and written back once.
local logs, opened = {}, {}

-- Which run of Redis this is. It may have lost writes of the run before, whose offsets are given out again: so an old log
-- goes on under another epoch, and keeps how far the old one can be trusted.
local run
local function this_run()
  if not run then
    local info = redis.pcall('INFO', 'server')
    run = type(info) == 'string' and string.match(info, 'run_id:(%x+)') or ''
    run = string.sub(run, 1, 12)
  end
  return run
end

local function continue(log)
  local former = (log.former ~= '' and log.former .. ' ' or '') .. log.epoch .. ' ' .. int(log.offset)
  -- The latest eight are enough for who was away a while.
  local _, words = string.gsub(former, ' ', '')
  while words > 15 do former, words = string.gsub(former, '^%S+ %S+ ', '', 1), words - 2 end
  log.former, log.epoch = former, fresh_epoch
end
local function open(topic)
  local log = logs[topic]
  if log then return log end
  log = { key = base .. 'log:' .. topic, top = base .. 'top:' .. topic, channel = base .. 'ch:' .. topic,
          out = {}, size = 0 }
  local top = redis.call('HMGET', log.top, 'e', 'o', 'f', 'b', 'r', 'p')
  if top[1] then
    log.epoch, log.offset, log.first, log.bytes = top[1], tonumber(top[2]), tonumber(top[3]), tonumber(top[4])
    log.former = top[6] or ''
    if top[5] ~= this_run() then continue(log) end
  else
    -- Without its position a leftover stream can't be continued: a new incarnation begins.
    redis.call('UNLINK', log.key)
    log.epoch, log.offset, log.first, log.bytes = fresh_epoch, 0, 1, 0
    log.former = ''
  end
  logs[topic] = log
  opened[#opened + 1] = log
  return log
end

local function publish(log)
  if #log.out == 0 then return end
  redis.call('PUBLISH', log.channel, table.concat(log.out, '\n'))
  log.out, log.size = {}, 0
end

local function append(topic, json)
  -- A message has an event a line. In JSON a bare line break is nothing but space.
  if string.find(json, '\n', 1, true) then json = string.gsub(json, '\n', ' ') end
  local log = open(topic)
  log.offset = log.offset + 1
  redis.call('XADD', log.key, int(log.offset) .. '-0', 'e', json)
  log.bytes = log.bytes + #json
  log.out[#log.out + 1] = '{"epoch":"' .. log.epoch .. '","offset":' .. int(log.offset) .. ',"event":' .. json .. '}'
  log.size = log.size + #json
  -- A message on a channel stays far below a subscriber's output limit.
  if log.size > 262144 then publish(log) end
  return log
end

-- Trims in strides, so that an entry is read at most once more than it was written.
local function trim(log)
  local over = log.offset - log.first + 1 > log_max_events + math.ceil(log_max_events / 8) or log.bytes > log_max_bytes
  local rounds = 0
  while over and log.first < log.offset and rounds < 20 do
    rounds = rounds + 1
    local entries = redis.call('XRANGE', log.key, '-', '+', 'COUNT', 128)
    if #entries == 0 then break end
    for _, entry in ipairs(entries) do
      local kept = log.offset - log.first + 1
      if log.first >= log.offset or (kept <= log_max_events and log.bytes <= log_max_bytes - log_max_bytes / 8) then
        over = false
        break
      end
      log.first = tonumber(string.match(entry[1], '^%d+')) + 1
      log.bytes = log.bytes - #entry[2][2]
    end
    redis.call('XTRIM', log.key, 'MINID', int(log.first) .. '-0')
  end
end

local function close_logs()
  for _, log in ipairs(opened) do
    if not log.gone then
      trim(log)
      redis.call('HSET', log.top, 'e', log.epoch, 'o', int(log.offset), 'f', int(log.first), 'b', int(log.bytes),
        'r', this_run())
      if log.former ~= '' then redis.call('HSET', log.top, 'p', log.former) end
      local keep = int(math.max(log_ttl, log.keep or 0))
      redis.call('PEXPIRE', log.top, keep)
      redis.call('PEXPIRE', log.key, keep)
    end
    publish(log)
  end
end

-- Names, ids and numbers need no escaping in JSON; data and errors come as JSON.
local function event(kind_of_event, id, kind, attempt, data, err)
  local json = '{"type":"' .. kind_of_event .. '","job":"' .. id .. '","kind":"' .. kind .. '","attempt":' .. attempt ..
    ',"time":' .. int(now)
  if data and data ~= '' then json = json .. ',"data":' .. data end
  if err and err ~= '' then json = json .. ',"error":' .. err end
  return json .. '}'
end
