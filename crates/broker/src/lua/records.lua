-- Stored jobs, as they are read and written: many with a command.
local raws, jobs = {}, {}

-- Reads many at once. Those that were read before are in `jobs`, and stay as they are there.
local function preload(ids)
  local keys = {}
  for i, id in ipairs(ids) do keys[i] = base .. 'job:' .. id end
  for i = 1, #keys, 256 do
    local found = call('MGET', unpack(keys, i, math.min(i + 255, #keys)))
    for j, raw in ipairs(found) do raws[ids[i + j - 1]] = raw end
  end
  return keys
end

-- Keys and values, in turn.
local pairs_to_set = {}
local function write_pairs()
  for i = 1, #pairs_to_set, 256 do
    call('MSET', unpack(pairs_to_set, i, math.min(i + 255, #pairs_to_set)))
  end
  pairs_to_set = {}
end
