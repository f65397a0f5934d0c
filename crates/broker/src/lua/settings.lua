-- Changes what an operator sets for a queue, or for one tenant of it. Tenants that were parked by an old limit are
-- looked at again.
local tenant, n = arg(), number()
local key = base .. 'settings'
if tenant == '' then
  for _ = 1, n do
    local name, value = arg(), arg()
    if value == '' then redis.call('HDEL', key, name) else redis.call('HSET', key, name, value) end
  end
else
  local limits = arg()
  if limits == '' then redis.call('HDEL', base .. 'overrides', tenant)
  else redis.call('HSET', base .. 'overrides', tenant, limits) end
  local overrides = redis.call('HLEN', base .. 'overrides')
  if overrides == 0 then redis.call('HDEL', key, 'overrides') else redis.call('HSET', key, 'overrides', overrides) end
end
finish()
return 'ok'
