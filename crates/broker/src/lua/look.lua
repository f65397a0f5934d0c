-- Which of these keys a partition has. From now on what comes by an older placement than this is not created here.
local base, placement = KEYS[1], ARGV[1]
local stored = redis.call('HGET', base .. 'count', 'placement') or '0'
if tonumber(string.match(placement, '^%d+')) > tonumber(string.match(stored, '^%d+')) then
  redis.call('HSET', base .. 'count', 'placement', placement)
end
local found = {}
for i = 2, #ARGV do
  found[i - 1] = redis.call('EXISTS', base .. ARGV[i])
  if found[i - 1] == 0 and string.sub(ARGV[i], 1, 4) == 'job:' and parcel_of(base, string.sub(ARGV[i], 5)) then found[i - 1] = 1 end
end
return table.concat(found)
