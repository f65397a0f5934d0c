-- One page of a sorted set of jobs: what comes after a score and id, whether that member is still there or not; or,
-- going back, what comes before it, in the set's order too. The place is found anew each time, so that members may
-- leave and come while a set is gone through.
local base, key, score, id, most, back = KEYS[1], KEYS[1] .. ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5] == 'back'
local from = back and id == '' and redis.call('ZCARD', key) or 0
if id ~= '' then
  from = redis.call('ZCOUNT', key, '-inf', '(' .. score)
  local to = redis.call('ZCOUNT', key, '-inf', score)
  -- Members of one score stand in the order of their ids; a queue may have very many that are due together.
  while from < to do
    local middle = math.floor((from + to) / 2)
    local there = redis.call('ZRANGE', key, middle, middle)[1]
    if there < id or (there == id and not back) then from = middle + 1 else to = middle end
  end
end
if not back then
  -- The jobs of a parcel have the places from its own on; of one that begins before the place, some may come after it.
  local after = id ~= '' and tonumber(score) or -math.huge
  local members, page = redis.call('ZRANGE', key, math.max(from - 1, 0), from + most - 1, 'WITHSCORES'), {}
  for i = 1, #members, 2 do
    local name, place = members[i], members[i + 1]
    if #page >= 2 * most then break end
    if string.byte(name) == 64 then
      local jobs = redis.call('LRANGE', base .. 'parcel:' .. string.match(name, '^%d+', 55), 0, -1)
      for k = 1, #jobs, 2 do
        local its_place = place + (k - 1) / 2
        if its_place > after and #page < 2 * most then
          page[#page + 1], page[#page + 2] = jobs[k], string.format('%d', its_place)
        end
      end
    elseif i > 1 or from == 0 then
      page[#page + 1], page[#page + 2] = name, place
    end
  end
  return page
end
if from == 0 then return {} end
return redis.call('ZRANGE', key, math.max(0, from - most), from - 1, 'WITHSCORES')
