-- The ids of all jobs that run, those in parcels too.
local base, ids = KEYS[1], {}
for _, name in ipairs(redis.call('ZRANGE', base .. 'active', 0, -1)) do
  if string.byte(name) == 64 then
    local jobs = redis.call('LRANGE', base .. 'parcel:' .. string.match(name, '^%d+', 55), 0, -1)
    for i = 1, #jobs, 2 do ids[#ids + 1] = jobs[i] end
  else
    ids[#ids + 1] = name
  end
end
return ids
