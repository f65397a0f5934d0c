-- Parcels. New jobs that come together and ask for nothing special wait as one, until a worker takes them or somebody asks for
-- one of them. A parcel is a list of ids and of how the jobs are stored from their head on (`job.lua`), in turn. Its name stands
-- in the line, where its score is the place of the first that is left, and in the set of parcels:
--   @<greatest id><least id> <number> <created> <born> <kind> <priority>:<tenant>
-- The number is the place of the first there was, and names the list. All ids begin with the same nine letters, which are the
-- time of 32 ms, so that a set in the order of the names finds the parcel of an id among the few of that time.
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
-- With what the jobs of a parcel begin, and what they have in common: number, kind and line.
local function parcel_named(name)
  local number, created, born, kind, line = string.match(name, '^(%d+) (%d+) (%w+) (%S+) (%S+)$', 55)
  return ';' .. created .. ' ' .. born .. ' ', number, kind, line
end
