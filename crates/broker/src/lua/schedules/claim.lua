-- Takes schedules that are due, the most overdue first, for as long as a lease. Whoever writes the last claim on one may
-- settle it.
local claim, lease, most = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local until_then = string.format('%d', now + lease)
local found = {}
for _, name in ipairs(call('ZRANGE', dues, '-inf', now, 'BYSCORE', 'LIMIT', 0, most)) do
  local definition, state = call('HGET', definitions, name), state_of(name)
  if definition and state and state.next ~= '-' then
    state.claim = claim
    save(name, state)
    call('ZADD', dues, until_then, name)
    found[#found + 1] = { name, string.sub(definition, string.find(definition, '\n', 1, true) + 1), state.next }
  else
    call('ZREM', dues, name)
  end
end
local first = call('ZRANGE', dues, 0, 0, 'WITHSCORES')[2]
return { string.format('%d', now), first and string.format('%d', first) or '', found }
