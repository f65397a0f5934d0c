-- Clients enter rooms, or are there already with what is now known of them. Says of each whether it is new there.
local deadline = now + tonumber(ARGV[1])
local reply = {}
for i = 2, #ARGV, 4 do
  local at, client, user = room(ARGV[i]), ARGV[i + 1], ARGV[i + 2]
  reply[#reply + 1] = is_in(at, client) and 0 or 1
  local before = redis.call('HGET', at.who, client)
  before = before and user_of(before)
  if before ~= user then
    -- In this order: a key that becomes empty loses its time to live.
    count(at, user, 1)
    if before then count(at, before, -1) end
  end
  redis.call('HSET', at.who, client, #user .. ':' .. user .. ARGV[i + 3])
  redis.call('ZADD', at.due, int(deadline), client)
end
for _, at in ipairs(touched) do
  sweep(at, 100)
  keep(at, deadline)
end
return reply
