-- How many jobs a set has more than members: each parcel is one.
local function more_of(state) return tonumber(call('HGET', base .. 'count', state .. '_more')) or 0 end

-- Has the jobs of a parcel be each by itself, as everything but the short ways expects. `jobs` is what the parcel holds. Says how
-- many they are.
local function unfold(name, jobs)
  local _, number, _, line = parcel_named(name)
  local key, codes, sum = base .. 'parcel:' .. number, {}, 0
  jobs = jobs or call('LRANGE', key, 0, -1)
  local function kept_of(id, head, result)
    local size, topic, options = string.match(head, '^%l+(%d+) %S+ %d+ %d %S+ (%S+)([^\n]*)')
    size = (tonumber(size) or 0) + (tonumber(string.match(options or '', ' extra=(%d+)')) or 0)
    codes[id] = code_for(512 + size + #result + (topic == '=' and 256 or 0), false, false)
    sum = sum + decode(codes[id])
    return int(decode(codes[id]))
  end
  local records, taken = records_of(base, name, jobs, false, nil, kept_of)
  local state = not taken and 'waiting' or taken.finished and 'completed' or 'active'
  local set = state == 'waiting' and base .. 'wait:' .. line or base .. state
  local score = tonumber(call('ZSCORE', set, name) or number)
  local pairs_to_set, scores = {}, {}
  for n, record in ipairs(records) do
    local id = jobs[2 * n - 1]
    raws[id] = record
    pairs_to_set[2 * n - 1], pairs_to_set[2 * n] = base .. 'job:' .. id, record
    local its_score = int(score)
    if state == 'waiting' then its_score = int(score + n - 1) end
    if codes[id] then its_score = its_score .. fraction(codes[id]) end
    scores[2 * n - 1], scores[2 * n] = its_score, id
  end
  for i = 1, #pairs_to_set, 256 do call('MSET', unpack(pairs_to_set, i, math.min(i + 255, #pairs_to_set))) end
  in_pieces('ZADD', set, scores)
  call('ZREM', set, name)
  call('ZREM', base .. 'parcels', name)
  call('UNLINK', key, base .. 'results:' .. number)
  if taken then call('HINCRBY', base .. 'count', state .. '_more', 1 - taken.many) end
  if state == 'completed' then change('completed_bytes', sum - taken.kept) end
  return #records
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
