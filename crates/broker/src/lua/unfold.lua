-- Has the jobs of a parcel wait each by itself, as everything but the short ways expects. `jobs` is what the parcel holds.
local function unfold(name, jobs)
  local since, number, _, line = parcel_named(name)
  local key = base .. 'parcel:' .. number
  jobs = jobs or call('LRANGE', key, 0, -1)
  line = base .. 'wait:' .. line
  local place = tonumber(call('ZSCORE', line, name) or number) - 1
  local records, places = {}, {}
  for i = 1, #jobs, 2 do
    records[i], records[i + 1] = base .. 'job:' .. jobs[i], since .. jobs[i + 1]
    places[i], places[i + 1] = int(place + (i + 1) / 2), jobs[i]
    raws[jobs[i]] = records[i + 1]
  end
  for i = 1, #records, 256 do call('MSET', unpack(records, i, math.min(i + 255, #records))) end
  in_pieces('ZADD', line, places)
  call('ZREM', line, name)
  call('ZREM', base .. 'parcels', name)
  call('UNLINK', key)
end
-- Has those that come next in a line stand there by themselves.
local function unfold_front(line, n)
  for _, name in ipairs(call('ZRANGE', line, 0, n - 1)) do
    if n <= 0 then break end
    if string.byte(name) == 64 then
      local jobs = call('LRANGE', base .. 'parcel:' .. string.match(name, '^%d+', 55), 0, -1)
      unfold(name, jobs)
      n = n - #jobs / 2
    else
      n = n - 1
    end
  end
end
