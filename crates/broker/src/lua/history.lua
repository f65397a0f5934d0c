-- Reads part of a log together with its position, in one step: forward after an offset, or backward before one.
local base, topic, back, offset = KEYS[1], ARGV[1], ARGV[2] == '1', tonumber(ARGV[3])
local most, most_bytes = tonumber(ARGV[4]), tonumber(ARGV[5])
local top = redis.call('HMGET', base .. 'top:' .. topic, 'e', 'o', 'p')
if not top[1] then return { '', 0, '', {} } end
local log = base .. 'log:' .. topic
local reply, bytes = {}, 0
local place = string.format('%d-0', back and offset - 1 or offset + 1)
while #reply < most and bytes < most_bytes do
  local count = math.min(most - #reply, 128)
  local entries
  if back then
    entries = redis.call('XREVRANGE', log, offset == 0 and #reply == 0 and '+' or place, '-', 'COUNT', count)
  else
    entries = redis.call('XRANGE', log, place, '+', 'COUNT', count)
  end
  for _, found in ipairs(entries) do
    if bytes >= most_bytes then break end
    local n = tonumber(string.match(found[1], '^%d+'))
    reply[#reply + 1] = { n, found[2][2] }
    bytes = bytes + #found[2][2]
    place = string.format('%d-0', back and n - 1 or n + 1)
    if back and n <= 1 then most = 0 end
  end
  if #entries < count then break end
end
return { top[1], tonumber(top[2]), top[3] or '', reply }
