-- One page of a sorted set of jobs: what comes after a score and id, whether that member is still there or not; or,
-- going back, what comes before it, in the set's order too. The place is found anew each time, so that members may
-- leave and come while a set is gone through.
local key, score, id, most, back = KEYS[1] .. ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5] == 'back'
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
if not back then return redis.call('ZRANGE', key, from, from + most - 1, 'WITHSCORES') end
if from == 0 then return {} end
return redis.call('ZRANGE', key, math.max(0, from - most), from - 1, 'WITHSCORES')
