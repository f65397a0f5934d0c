-- Reads part of a log together with its position, in one step: forward after an offset, or backward before one.
local base, topic, back, offset = KEYS[1], ARGV[1], ARGV[2] == '1', tonumber(ARGV[3])
local most, most_bytes = tonumber(ARGV[4]), tonumber(ARGV[5])
local epoch, newest, former, first = position(base, topic)
if epoch == '' then return { '', 0, '', {} } end
local log = base .. 'log:' .. topic
-- The list ends with the newest, whatever the position says of its beginning.
first = newest - redis.call('LLEN', log) + 1
local reply, bytes = {}, 0
local place
if back then place = (offset == 0 or offset > newest) and newest or offset - 1 else place = math.max(offset + 1, first) end
while #reply < most and bytes < most_bytes and place >= first and place <= newest do
  local count = math.min(most - #reply, 128)
  local from, to
  if back then from, to = math.max(first, place - count + 1), place else from, to = place, math.min(newest, place + count - 1) end
  local events = redis.call('LRANGE', log, from - first, to - first)
  for n = 1, #events do
    if bytes >= most_bytes then break end
    local json = back and events[#events - n + 1] or events[n]
    reply[#reply + 1] = { place, json }
    bytes = bytes + #json
    place = back and place - 1 or place + 1
  end
  if #events == 0 then break end
end
return { epoch, newest, former, reply }
