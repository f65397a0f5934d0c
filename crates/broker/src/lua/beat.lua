-- A sign of life of a worker: it is in the registry, with its kinds, and its leases are renewed. Says which of them it
-- no longer holds, and which of its jobs are to be cancelled.
local worker, lease, leaving, fields, kinds = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4], ARGV[5]
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local deadline = string.format('%d', now + lease)
local registry, card = base .. 'workers', base .. 'worker:' .. worker
-- Who has every kind is found under a name that no kind can have.
local known = kinds == '' and '*' or kinds

if leaving == '1' then
  redis.call('ZREM', registry, worker)
  redis.call('UNLINK', card, base .. 'inbox:' .. worker, base .. 'hand:' .. worker)
  for kind in string.gmatch(known, '[^ ]+') do redis.call('ZREM', base .. 'kind:' .. kind, worker) end
else
  redis.call('ZADD', registry, deadline, worker)
  -- Who offered itself and did not renew that is gone.
  redis.call('ZREMRANGEBYSCORE', base .. 'offers', '-inf', string.format('%d', now - 60000))
  redis.call('HSET', card, 'about', fields, 'kinds', kinds, 'beat', string.format('%d', now))
  redis.call('PEXPIRE', card, 3600000)
  for kind in string.gmatch(known, '[^ ]+') do
    local key = base .. 'kind:' .. kind
    redis.call('ZADD', key, deadline, worker)
    redis.call('ZREMRANGEBYSCORE', key, '-inf', string.format('%d', now - 60000))
    -- Another worker may have the longer lease.
    local last = redis.call('ZRANGE', key, -1, -1, 'WITHSCORES')[2]
    redis.call('PEXPIRE', key, string.format('%d', last - now + 60000))
  end
end

local lost, cancelled = {}, {}
for i = 6, #ARGV, 2 do
  local id, attempt = ARGV[i], ARGV[i + 1]
  local raw = redis.call('GET', base .. 'job:' .. id)
  if not raw then
    -- Leases are each job's own, so a parcel that lasts until a beat is one no more.
    local name, jobs = parcel_of(base, id)
    local taken = name and parcel_taken(select(5, parcel_named(name)))
    if taken and not taken.finished then
      unfold(name, jobs)
      raw = raws[id]
    end
  end
  local front = string.match(raw or '', '^[^;]*')
  local own, holder = string.match(front, '^active (%d+) %d+ worker=(%S+)')
  if own == attempt and holder == worker then
    redis.call('ZADD', base .. 'active', deadline, id)
    if string.find(front, ' cancel=', 1, true) then cancelled[#cancelled + 1] = id end
  else
    lost[#lost + 1] = id
  end
end
return { lost, cancelled }
