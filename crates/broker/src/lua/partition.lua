-- Sets a placement in place of another, if that is still there, and no job is where there was none.
local count, old, new, is_empty = KEYS[1] .. 'count', ARGV[1], ARGV[2], ARGV[3] == '1'
local found = redis.call('HMGET', count, 'placement', 'enqueued')
if (found[1] or '') ~= old or (is_empty and tonumber(found[2] or '0') > 0) then return 0 end
redis.call('HSET', count, 'placement', new)
return 1
