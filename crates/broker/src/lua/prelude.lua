-- Shared by every script that writes. KEYS[1] is the queue's base, `<prefix>{<queue>}:`; all keys are made from
-- it, so they lie in one Cluster slot. Redis' own clock is the only one.
local base = KEYS[1]
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local function int(n) return string.format('%d', n) end

local cursor = 0
local function arg() cursor = cursor + 1; return ARGV[cursor] end
local function number() return tonumber(arg()) end

-- Limits of the event logs, which every writing script gets first.
local fresh_epoch = arg()
local log_max_events, log_max_bytes, log_ttl = number(), number(), number()

-- Counters ---------------------------------------------------------------------------------------------------
local waiting_delta, totals = 0, {}
local function count(what) totals[what] = (totals[what] or 0) + 1 end

-- Event logs -------------------------------------------------------------------------------------------------
-- A log is a stream whose entry ids are `<offset>-0`, and a hash beside it: e(poch), o(ffset of the newest),
-- f(irst offset kept), b(ytes kept). A log is opened once a script and written back once.
local logs, opened = {}, {}
local function open(topic)
  local log = logs[topic]
  if log then return log end
  log = { key = base .. 'log:' .. topic, top = base .. 'top:' .. topic, channel = base .. 'ch:' .. topic,
          out = {}, size = 0 }
  local top = redis.call('HMGET', log.top, 'e', 'o', 'f', 'b')
  if top[1] then
    log.epoch, log.offset, log.first, log.bytes = top[1], tonumber(top[2]), tonumber(top[3]), tonumber(top[4])
  else
    -- Without its position a leftover stream can't be continued: a new incarnation begins.
    redis.call('UNLINK', log.key)
    log.epoch, log.offset, log.first, log.bytes = fresh_epoch, 0, 1, 0
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
  local log = open(topic)
  log.offset = log.offset + 1
  redis.call('XADD', log.key, int(log.offset) .. '-0', 'e', json)
  log.bytes = log.bytes + #json
  log.out[#log.out + 1] = '{"epoch":"' .. log.epoch .. '","offset":' .. int(log.offset) .. ',"event":' .. json .. '}'
  log.size = log.size + #json
  -- A message on a channel stays far below a subscriber's output limit.
  if log.size > 262144 then publish(log) end
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

-- Waiting lines ----------------------------------------------------------------------------------------------
-- A line is a list of ids for one priority and tenant. The ring of a priority holds each tenant that has a
-- line there, once.
local function enlist(id, priority, tenant, front)
  local line = base .. 'wait:' .. priority .. ':' .. tenant
  if redis.call(front and 'LPUSH' or 'RPUSH', line, id) == 1 then
    redis.call('RPUSH', base .. 'ring:' .. priority, tenant)
  end
  waiting_delta = waiting_delta + 1
end

-- Events -----------------------------------------------------------------------------------------------------
-- Names, ids and numbers need no escaping in JSON; data and errors come as JSON.
local function event(kind_of_event, id, kind, attempt, data, err)
  local json = '{"type":"' .. kind_of_event .. '","job":"' .. id .. '","kind":"' .. kind .. '","attempt":' .. attempt ..
    ',"time":' .. int(now)
  if data and data ~= '' then json = json .. ',"data":' .. data end
  if err and err ~= '' then json = json .. ',"error":' .. err end
  return json .. '}'
end

-- A finished job is kept for a while; its log goes with it.
local function forget(id)
  redis.call('UNLINK', base .. 'job:' .. id, base .. 'log:' .. id, base .. 'top:' .. id)
end

local function trim_finished(state, keep, most)
  local over = redis.call('ZCARD', base .. state) - keep
  if over > 0 then
    local oldest = redis.call('ZPOPMIN', base .. state, math.min(over, most))
    for i = 1, #oldest, 2 do forget(oldest[i]) end
    return #oldest / 2
  end
  return 0
end

-- What every script does last: write positions back, publish, count, and wake one worker if any is free to take
-- what waits. The next is woken by the one that was.
local function finish()
  for _, log in ipairs(opened) do
    trim(log)
    redis.call('HSET', log.top, 'e', log.epoch, 'o', int(log.offset), 'f', int(log.first), 'b', int(log.bytes))
    redis.call('PEXPIRE', log.top, log_ttl)
    redis.call('PEXPIRE', log.key, log_ttl)
    publish(log)
  end
  for what, n in pairs(totals) do redis.call('HINCRBY', base .. 'totals', what, n) end
  if waiting_delta ~= 0 then redis.call('HINCRBY', base .. 'count', 'waiting', waiting_delta) end
  -- The rings and not the counter say whether anything waits: a counter that drifted must not wake for nothing.
  local waits = redis.call('LLEN', base .. 'ring:0') + redis.call('LLEN', base .. 'ring:1') +
    redis.call('LLEN', base .. 'ring:2') > 0
  if waits and redis.call('LLEN', base .. 'wake') == 0 then redis.call('LPUSH', base .. 'wake', '1') end
end
