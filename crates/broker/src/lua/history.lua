-- Reads a log after an offset, together with its position, in one step.
local base, topic, after, most = KEYS[1], ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local top = redis.call('HMGET', base .. 'top:' .. topic, 'e', 'o')
if not top[1] then return { '', 0, {} } end
local reply = {}
if most > 0 then
  local entries = redis.call('XRANGE', base .. 'log:' .. topic, string.format('%d-0', after + 1), '+', 'COUNT', most)
  for i, entry in ipairs(entries) do
    reply[i] = { tonumber(string.match(entry[1], '^%d+')), entry[2][2] }
  end
end
return { top[1], tonumber(top[2]), reply }
