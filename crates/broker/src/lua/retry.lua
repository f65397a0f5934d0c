-- Puts a failed or cancelled job in line again, with all its attempts. Attempt numbers go on, since they fence.
local id = arg()
local key = base .. 'job:' .. id
local f = redis.call('HMGET', key, 'state', 'attempt', 'kind', 'topic', 'priority', 'tenant', 'events')
if not f[1] then return 'missing' end
if f[1] ~= 'failed' and f[1] ~= 'cancelled' then return f[1] end
redis.call('ZREM', base .. f[1], id)
redis.call('HSET', key, 'state', 'waiting', 'back', f[2] or 0)
redis.call('HDEL', key, 'finished', 'error', 'due')
redis.call('PERSIST', key)
enlist(id, f[5] or '1', f[6] or 'public', false)
if f[4] and f[7] == 'all' then append(f[4], event('queued', id, f[3] or 'unknown', f[2] or 0)) end
finish()
return 'ok'
