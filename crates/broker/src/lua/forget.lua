-- Forgets what a room's log holds, and keeps where it is: offsets go on.
local log, top = KEYS[1] .. 'log:' .. ARGV[1], KEYS[1] .. 'top:' .. ARGV[1]
redis.call('UNLINK', log)
local offset = tonumber(redis.call('HGET', top, 'o') or '')
if offset then redis.call('HSET', top, 'f', string.format('%d', offset + 1), 'b', '0') end
return 1
