-- How long and how many finished jobs are kept, and how many bytes of them: arguments of every script that ends jobs.
local keep_completed_ms, keep_failed_ms, keep_jobs, keep_bytes = number(), number(), number(), number()

-- Takes what belongs to finished jobs away, of which the ids and scores are given in turn, and whole parcels with them. Says how
-- many bytes that were, and how many jobs more than members.
local function unlink(popped)
  local keys, names, bytes, more = {}, {}, 0, 0
  for i = 1, #popped, 2 do
    local id = popped[i]
    if string.byte(id) == 64 then
      local _, number, _, _, says = parcel_named(id)
      local taken = parcel_taken(says)
      keys[#keys + 1], keys[#keys + 2] = base .. 'parcel:' .. number, base .. 'results:' .. number
      names[#names + 1] = id
      bytes, more = bytes + taken.kept, more + taken.many - 1
    else
      local code = code_of(popped[i + 1])
      keys[#keys + 1] = base .. 'job:' .. id
      if code >= 1024 then
        if code >= 2048 then keys[#keys + 1] = base .. 'log:' .. id end
        if code % 2048 >= 1024 then keys[#keys + 1] = base .. 'body:' .. id end
      end
      bytes = bytes + decode(code)
    end
  end
  for i = 1, #keys, 256 do call('UNLINK', unpack(keys, i, math.min(i + 255, #keys))) end
  in_pieces('ZREM', base .. 'parcels', names)
  return bytes, more
end

local pop_oldest
do
  -- The first jobs of a completed parcel go, the others stay. Says how many bytes those were counted with.
  local function shorten_parcel(set, name, score, n)
    local _, number, _, _, says = parcel_named(name)
    local taken = parcel_taken(says)
    local bytes = math.floor(taken.kept * n / taken.many)
    local left = sub(name, 1, #name - #says) .. taken.worker .. ' ' .. taken.started .. ' ' .. int(taken.place + n) .. ' ' ..
      int(taken.many - n) .. ' ' .. taken.finished .. ' ' .. int(taken.kept - bytes) .. ' ' .. taken.run
    call('LTRIM', base .. 'parcel:' .. number, 2 * n, -1)
    call('LTRIM', base .. 'results:' .. number, n, -1)
    call('ZREM', set, name)
    call('ZADD', set, score, left)
    call('ZREM', base .. 'parcels', name)
    call('ZADD', base .. 'parcels', 0, left)
    return bytes
  end

  -- Takes the oldest of finished jobs out of their set, at most so many, or of a parcel about as many as have so many bytes;
  -- `more` is how many jobs it has more than members. Gives ids, names of whole parcels and scores in turn, and how many jobs are
  -- out. Of a last parcel there may be a part of it that is gone by now: so many jobs, and so many bytes.
  function pop_oldest(set, most, more, most_bytes)
    if more <= 0 then
      local popped = call('ZPOPMIN', set, most)
      return popped, #popped / 2, 0, 0
    end
    local popped, jobs, last = {}, 0, 0
    while jobs < most do
      local name, score = unpack(call('ZRANGE', set, 0, 0, 'WITHSCORES'))
      if not name then break end
      if string.byte(name) == 64 then
        local _, _, _, _, says = parcel_named(name)
        local taken = parcel_taken(says)
      local many = taken.many
      if most_bytes then most = math.min(many, math.ceil(most_bytes * many / math.max(taken.kept, 1))) end
        if many > most - jobs then
          local n = most - jobs
          return popped, most, n, shorten_parcel(set, name, score, n)
        end
        call('ZREM', set, name)
        popped[last + 1], popped[last + 2] = name, score
        jobs, last = jobs + many, last + 2
      else
        local members, back = call('ZPOPMIN', set, most - jobs), {}
        for i = 1, #members, 2 do
          if back[1] or string.byte(members[i]) == 64 then
            back[#back + 1], back[#back + 2] = members[i + 1], members[i]
          else
            popped[last + 1], popped[last + 2] = members[i], members[i + 1]
            jobs, last = jobs + 1, last + 2
          end
        end
        in_pieces('ZADD', set, back)
      end
    end
    return popped, jobs, 0, 0
  end
end
