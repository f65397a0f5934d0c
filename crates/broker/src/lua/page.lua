-- One page of a sorted set of jobs: what comes after a score and id, whether that member is still there or not; or,
-- going back, what comes before it, in the set's order too. The place is found anew each time, so that members may
-- leave and come while a set is gone through. The jobs of a parcel stand where it does, in the order of its list.
local base, key, score, id, most, back = KEYS[1], KEYS[1] .. ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5] == 'back'
local is_line = string.sub(ARGV[1], 1, 5) == 'wait:'

-- Where a member is in the set, or would be; and whether it is there.
local function place_of(member)
  local from, to = redis.call('ZCOUNT', key, '-inf', '(' .. score), redis.call('ZCOUNT', key, '-inf', score)
  -- Members of one score stand in the order of their names; a queue may have very many that are due together.
  while from < to do
    local middle = math.floor((from + to) / 2)
    local there = redis.call('ZRANGE', key, middle, middle)[1]
    if there == member then return middle, true end
    if there < member then from = middle + 1 else to = middle end
  end
  return from, false
end
-- What a member stands for: ids and scores, in turn. Those of a line have the places from the parcel's own on.
local function expand(name, its_score)
  if string.byte(name) ~= 64 then return { name, its_score } end
  local jobs = redis.call('LRANGE', base .. 'parcel:' .. string.match(name, '^%d+', 55), 0, -1)
  for k = 2, #jobs, 2 do jobs[k] = is_line and string.format('%d', its_score + k / 2 - 1) or its_score end
  return jobs
end

-- The first member that is looked at, and how many jobs of it come before the place.
local from, skipped = 0, 0
if id ~= '' then
  local name, _, i = parcel_of(base, id)
  local its_score = name and redis.call('ZSCORE', key, name)
  if its_score then
    score = its_score
    from, skipped = place_of(name), (i + 1) / 2 - (back and 1 or 0)
  else
    -- A job that was in a parcel when its place was kept may have become one by itself since, a little after it.
    if back and string.find(score, '^%d+$') then score = score .. '.9999' end
    local at, is_there = place_of(id)
    from = (is_there and not back) and at + 1 or at
  end
elseif back then
  from = redis.call('ZCARD', key)
end

local page = {}
if not back then
  local members = redis.call('ZRANGE', key, from, from + most, 'WITHSCORES')
  for m = 1, #members, 2 do
    local jobs = expand(members[m], members[m + 1])
    for k = 1 + (m == 1 and 2 * skipped or 0), #jobs, 2 do
      if #page >= 2 * most then return page end
      page[#page + 1], page[#page + 2] = jobs[k], jobs[k + 1]
    end
  end
  return page
end

-- From the place back, and turned round at last.
local members = redis.call('ZRANGE', key, math.max(0, from - most), from, 'WITHSCORES')
local found = {}
for m = #members - 1, 1, -2 do
  if #found >= 2 * most then break end
  local is_last = math.max(0, from - most) + (m - 1) / 2 == from
  local jobs = (not is_last or skipped > 0) and expand(members[m], members[m + 1]) or {}
  for k = is_last and 2 * skipped - 1 or #jobs - 1, 1, -2 do
    if #found >= 2 * most then break end
    found[#found + 1], found[#found + 2] = jobs[k + 1], jobs[k]
  end
end
for k = #found, 1, -1 do page[#page + 1] = found[k] end
return page
