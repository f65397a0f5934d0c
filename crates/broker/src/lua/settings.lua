-- Changes what an operator sets for a queue, or for one tenant of it. Tenants that were parked by an old limit are
-- looked at again.
local tenant, n = arg(), number()
local key = base .. 'settings'
if tenant == '' then
  for _ = 1, n do
    local name, value = arg(), arg()
    if value == '' then call('HDEL', key, name) else call('HSET', key, name, value) end
  end
else
  local limits = arg()
  if limits == '' then call('HDEL', base .. 'overrides', tenant)
  else call('HSET', base .. 'overrides', tenant, limits) end
  local overrides = call('HLEN', base .. 'overrides')
  if overrides == 0 then call('HDEL', key, 'overrides') else call('HSET', key, 'overrides', overrides) end
end
call('HSET', base .. 'count', 'settings', call('HLEN', key))
load_settings()
finish()
return 'ok'
