-- Which of these keys a partition has. With a placement, what an older one puts here is not created any more.
local base, placement = KEYS[1], ARGV[1]
if placement ~= '' then
  local stored = redis.call('HGET', base .. 'count', 'placement') or '0'
  if tonumber(string.match(placement, '^%d+')) > tonumber(string.match(stored, '^%d+')) then
    redis.call('HSET', base .. 'count', 'placement', placement)
  end
end
local found = {}
for i = 2, #ARGV do found[i - 1] = redis.call('EXISTS', base .. ARGV[i]) end
return table.concat(found)
