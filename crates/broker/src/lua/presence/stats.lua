-- How many clients and users are in a room, and whether some of them may be dead.
local at = room(ARGV[1])
local more = sweep(at, 500)
return { more and 1 or 0, redis.call('ZCARD', at.due), redis.call('HLEN', at.users) }
