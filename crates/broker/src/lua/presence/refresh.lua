-- Clients are still in rooms. Says of each whether it was found there; one that is late but not yet swept is.
local deadline = now + tonumber(ARGV[1])
local reply = {}
for i = 2, #ARGV, 2 do
  local at, client = room(ARGV[i]), ARGV[i + 1]
  local found = redis.call('ZSCORE', at.due, client)
  if found then redis.call('ZADD', at.due, int(deadline), client) end
  reply[#reply + 1] = found and 1 or 0
end
for _, at in ipairs(touched) do
  sweep(at, 100)
  if redis.call('EXISTS', at.due) == 1 then keep(at, deadline) end
end
return reply
