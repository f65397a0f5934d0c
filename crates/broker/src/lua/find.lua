-- Jobs as they are stored, or would be by themselves where they are in parcels; nothing for those that are not there. Of what is
-- long only the beginning, if `heads` are asked for.
local base, is_enough, found, held = KEYS[1], ARGV[1] == 'heads', {}, {}
for i = 2, #ARGV do
  local id = ARGV[i]
  if not held[id] then
    local name, jobs = parcel_of(base, id)
    if name then
      for n, record in ipairs((records_of(base, name, jobs, is_enough))) do held[jobs[2 * n - 1]] = record end
    end
  end
  found[i - 1] = held[id] or redis.call('GETRANGE', base .. 'job:' .. id, 0, is_enough and 4095 or -1)
end
return found
