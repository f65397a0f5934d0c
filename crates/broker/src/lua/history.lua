-- Reads a log after an offset, together with its position and the entry at that offset, in one step.
local base, topic, after, most = KEYS[1], ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local top = redis.call('HMGET', base .. 'top:' .. topic, 'e', 'o')
if not top[1] then return { '', 0, '', {} } end
local log = base .. 'log:' .. topic
local at = string.format('%d-0', after)
local entry = after > 0 and redis.call('XRANGE', log, at, at)[1]
local reply = {}
if most > 0 then
  local entries = redis.call('XRANGE', log, string.format('%d-0', after + 1), '+', 'COUNT', most)
  for i, found in ipairs(entries) do reply[i] = { tonumber(string.match(found[1], '^%d+')), found[2][2] } end
end
return { top[1], tonumber(top[2]), entry and entry[2][2] or '', reply }
