-- Makes another placement that of a queue, if it still has the one that it was made from, and if it was never used where
-- that was assumed. Says whether it did.
local count = KEYS[1] .. 'count'
local from, to, unused = ARGV[1], ARGV[2], ARGV[3] == '1'
if (redis.call('HGET', count, 'placement') or '') ~= from then return 0 end
if unused and (tonumber(redis.call('HGET', count, 'enqueued')) or 0) > 0 then return 0 end
redis.call('HSET', count, 'placement', to)
return 1
