-- Publishes to rooms of one namespace, in the order of the batch: appends to the logs of those that have a history, and
-- says it on the rooms' channels. The same batch of a sender is published once, however often it is sent: what was
-- answered is kept until its next one.
local sender, batch, keep_ms, key_ms = arg(), arg(), arg(), arg()
local sent = base .. 'sent:' .. sender
local before = call('GET', sent)
if before then
  before = cmsgpack.unpack(before)
  if before[1] == batch then return before[2] end
  -- It was held up on a connection that the sender has given up; nobody waits for it any more.
  if tonumber(before[1]) > tonumber(batch) then return {} end
end

-- Rooms of which nothing in this batch is logged; of the others the log holds what is to be said. A message has events of
-- one of these only.
local plain = {}
local function publish_plain(to)
  if not to then return end
  publish_lines(to.channel, '', 0, to.out)
  to.out = {}
end
local function say(name, json)
  if find(json, '\n', 1, true) then json = string.gsub(json, '\n', ' ') end
  if logs[name] then publish(logs[name]) end
  local to = plain[name]
  if not to then
    to = { channel = base .. 'ch:' .. name, out = {} }
    plain[name] = to
  end
  to.out[#to.out + 1] = json
end

local function log_of(name)
  publish_plain(plain[name])
  return open_shared(name, true)
end

-- Keeps exactly so many. A history that was made much smaller is cut over several calls.
local function cut_to_size(log)
  shorten(log, function() return log.offset - log.first + 1 > log.most end)
end

local n = number()
local reply = {}
for i = 1, n do
  local name, json, most, ttl, meta_ttl, key = arg(), arg(), number(), arg(), arg(), arg()
  if key ~= '' then key = base .. 'idem:' .. name .. ':' .. redis.sha1hex(key) end
  local first = key ~= '' and call('GET', key)
  if first then
    local offset, epoch = string.match(first, '^(%d+) (.*)$')
    reply[i] = { epoch, tonumber(offset) }
  else
    if most > 0 then
      local log = log_of(name)
      log.most, log.ttl, log.meta_ttl = most, ttl, meta_ttl
      -- Without an event the room only gets its epoch.
      if json ~= '' then
        if find(json, '\n', 1, true) then json = string.gsub(json, '\n', ' ') end
        append_line(log, json)
        log.grown = true
      end
      reply[i] = { log.epoch, log.offset }
    else
      say(name, json)
      reply[i] = { '', 0 }
    end
    if key ~= '' then call('SET', key, int(reply[i][2]) .. ' ' .. reply[i][1], 'PX', key_ms) end
  end
end

for _, log in ipairs(opened) do
  store(log)
  cut_to_size(log)
  write_top(log)
  call('PEXPIRE', log.top, log.meta_ttl)
  if log.grown then call('PEXPIRE', log.key, log.ttl) end
  publish(log)
end
for _, to in pairs(plain) do publish_plain(to) end
call('SET', sent, cmsgpack.pack({ batch, reply }), 'PX', keep_ms)
return reply
