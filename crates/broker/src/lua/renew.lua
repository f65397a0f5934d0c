-- Renews the leases of a worker's jobs, and says which of them it no longer holds.
local base, worker, lease = KEYS[1], ARGV[1], tonumber(ARGV[2])
local clock = redis.call('TIME')
local deadline = clock[1] * 1000 + math.floor(clock[2] / 1000) + lease
local lost = {}
for i = 3, #ARGV, 2 do
  local id, attempt = ARGV[i], ARGV[i + 1]
  local f = redis.call('HMGET', base .. 'job:' .. id, 'state', 'attempt', 'worker')
  if f[1] == 'active' and f[2] == attempt and f[3] == worker then
    redis.call('ZADD', base .. 'active', string.format('%d', deadline), id)
  else
    lost[#lost + 1] = id
  end
end
return lost
