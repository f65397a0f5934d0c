-- One page of a sorted set of jobs: what comes after a score and id, whether that member is still there or not. The
-- place is found anew each time, so that members may leave and come while a set is gone through.
local key, score, id, most = KEYS[1] .. ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local from = 0
if id ~= '' then
  from = redis.call('ZCOUNT', key, '-inf', '(' .. score)
  local to = redis.call('ZCOUNT', key, '-inf', score)
  -- Members of one score stand in the order of their ids; a queue may have very many that are due together.
  while from < to do
    local middle = math.floor((from + to) / 2)
    if redis.call('ZRANGE', key, middle, middle)[1] <= id then from = middle + 1 else to = middle end
  end
end
return redis.call('ZRANGE', key, from, from + most - 1, 'WITHSCORES')
