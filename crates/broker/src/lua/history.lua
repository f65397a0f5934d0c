-- Reads part of a log together with its position, in one step: forward after an offset, or backward before one.
local base, topic, back, offset = KEYS[1], ARGV[1], ARGV[2] == '1', tonumber(ARGV[3])
local most, most_bytes = tonumber(ARGV[4]), tonumber(ARGV[5])
local epoch, newest, former, raw = position(base, topic, true)
if epoch == '' then return { '', 0, '', {} } end

-- How a job ended is told by the job alone: it is the last event of its own log, and in no list.
local function ending()
  if not raw then return nil end
  local state, attempt, front, kind, at = string.match(raw,
    '^(%l+) (%d+) ([^;]*);%d+ %w+ %w+ (%S+) [^\n]*\n()')
  local time = front and string.match(front, 'finished=(%d+)')
  if not time then return nil end
  local name = state == 'completed' and 'result' or 'error'
  local size = state ~= 'cancelled' and string.match(front, name .. '=(%d+)')
  local json = '{"type":"' .. state .. '","job":"' .. topic .. '","kind":"' .. kind .. '","attempt":' .. attempt ..
    ',"time":' .. time
  if size then
    local outcome = string.sub(raw, math.max(at, #raw - size + 1))
    -- Where in the worker it went wrong is not told.
    if state == 'failed' then outcome = string.match(outcome, '^[^\n]*') end
    json = json .. (state == 'completed' and ',"data":' or ',"error":') .. outcome
  end
  return string.gsub(json, '\n', ' ') .. '}'
end

local log, last = base .. 'log:' .. topic, ending()
local newest_listed = last and newest - 1 or newest
-- The list ends with the newest, whatever the position says of its beginning.
local first = newest_listed - redis.call('LLEN', log) + 1
local reply, bytes = {}, 0
local place
if back then
  place = (offset == 0 or offset > newest) and newest or offset - 1
else
  place = math.max(offset + 1, first)
end
local function take(json)
  reply[#reply + 1] = { place, json }
  bytes = bytes + #json
  place = back and place - 1 or place + 1
end
while #reply < most and bytes < most_bytes and place >= first and place <= newest do
  if place > newest_listed then
    take(last)
  else
    local count = math.min(most - #reply, 128)
    local from = back and math.max(first, place - count + 1) or place
    local to = back and place or math.min(newest_listed, place + count - 1)
    local events = redis.call('LRANGE', log, from - first, to - first)
    if #events == 0 then break end
    for n = 1, #events do
      if bytes >= most_bytes then break end
      take(back and events[#events - n + 1] or events[n])
    end
  end
end
return { epoch, newest, former, reply }
