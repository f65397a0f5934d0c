-- Parcels. New jobs that come together and ask for nothing special wait as one, are taken and run as one, and are kept as one
-- when all have completed, until somebody asks for one of them. A parcel is a list of ids and of how the jobs are stored from
-- their head on (`job.lua`), in turn; of a completed one another list has the results. Its name stands where a job would, and in
-- the set of parcels. It says more with each state:
--   @<greatest id><least id> <number> <created> <born> <kind> <priority>:<tenant> <size>
--     … <worker> <started> <place> <how many>
--       … <finished> <kept> <run>
-- In its line its score is the place of the first that is left; who has taken it says it in `place`. A worker takes a part as a
-- parcel of its own. `size` is with how many bytes each job is counted, `-` if they differ. Numbers are those of places, each used
-- once, and name the lists. `kept` is how many bytes all are counted with, `run` is the run of Redis in which they completed. All
-- ids begin with the same nine letters, which are the time of 32 ms, so that a set in the order of the names finds the parcel of an
-- id among the few of that time.
local function parcel_of(base, id)
  if #id ~= 26 then return end
  local from, moment = '[@' .. id, '@' .. string.sub(id, 1, 9)
  repeat
    local names = redis.call('ZRANGE', base .. 'parcels', from, '+', 'BYLEX', 'LIMIT', 0, 16)
    for _, name in ipairs(names) do
      if string.sub(name, 1, 10) ~= moment then return end
      if string.sub(name, 28, 53) <= id then
        local jobs = redis.call('LRANGE', base .. 'parcel:' .. string.match(name, '^%d+', 55), 0, -1)
        for i = 1, #jobs, 2 do
          if jobs[i] == id then return name, jobs, i end
        end
      end
    end
    from = '(' .. (names[16] or '')
  until not names[16]
end
-- With what the jobs of a parcel begin, and what they have in common: number, kind and line; what it says as it is taken; and
-- the size.
local function parcel_named(name)
  local number, created, born, kind, line, size, more = string.match(name, '^(%d+) (%d+) (%w+) (%S+) (%S+) (%S+) ?(.*)$', 55)
  return ';' .. created .. ' ' .. born .. ' ', number, kind, line, more, size
end
local function parcel_taken(more)
  local worker, started, place, many, finished, kept, of_run = string.match(more, '^(%S+) (%d+) (%d+) (%d+) ?(%d*) ?(%d*) ?(%w*)$')
  if worker then
    return { worker = worker, started = started, place = tonumber(place), many = tonumber(many), kept = tonumber(kept),
      finished = finished ~= '' and finished, run = of_run }
  end
end
-- How the jobs of a parcel are stored once each is by itself, or one of them; of completed ones without their results, which may be
-- long, if that is enough. What they are counted with is told by `kept_of`, if need be.
local function records_of(base, name, jobs, is_enough, only, kept_of)
  local since, number, _, _, more = parcel_named(name)
  local taken, records = parcel_taken(more), {}
  local is_over = taken and taken.finished
  local results = is_over and not is_enough and redis.call('LRANGE', base .. 'results:' .. number, 0, -1)
  for i = only or 1, only or #jobs, 2 do
    local id, head, n = jobs[i], jobs[i + 1], (i + 1) / 2
    local front = ''
    if taken then
      front = ' 1 0 worker=' .. taken.worker .. ' started=' .. taken.started .. ' place=' .. string.format('%d', taken.place + n - 1)
      if is_over then
        local result = results and results[n] or ''
        local kept = kept_of and ' kept=' .. kept_of(id, head, result) or ''
        local log = string.find(head, '^%S+ %S+ %d+ %d %S+ =[ \n]') and ' log=1:1:0:' .. taken.run .. ':' ..
          string.gsub(string.sub(since, 2), ' ', '') or ''
        front = 'completed' .. front .. ' finished=' .. taken.finished .. kept .. log
        if results then front, head = front .. ' result=' .. #result, head .. result end
      else
        front = 'active' .. front
      end
    end
    records[n] = front .. since .. head
  end
  return records, taken
end
