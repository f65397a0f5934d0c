-- Jobs as they are stored, or would be by themselves where they are in parcels; nothing for those that are not there.
local base, found, held = KEYS[1], {}, {}
for i, id in ipairs(ARGV) do
  if not held[id] then
    local name, jobs = parcel_of(base, id)
    if name then
      for n, record in ipairs((records_of(base, name, jobs))) do held[jobs[2 * n - 1]] = record end
    end
  end
  found[i] = held[id] or redis.call('GET', base .. 'job:' .. id) or ''
end
return found
