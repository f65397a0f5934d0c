-- Jobs as they are stored, or would be by themselves where they wait in parcels; nothing for those that are not there.
local base, found, held = KEYS[1], {}, {}
for i, id in ipairs(ARGV) do
  if not held[id] then
    local name, jobs = parcel_of(base, id)
    local since = name and parcel_named(name)
    for k = 1, jobs and #jobs or 0, 2 do held[jobs[k]] = since .. jobs[k + 1] end
  end
  found[i] = held[id] or redis.call('GET', base .. 'job:' .. id) or ''
end
return found
