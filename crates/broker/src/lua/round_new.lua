-- A round that only tells of jobs and completes them as they were given, and takes new ones that ask for nothing special,
-- is over here. What else there is to do is left to what follows: nothing is written before it is known that the
-- operations go this way, and what it took is written before the rest goes the other.
--
-- A round has a number; when its answer was lost the worker sends it again, and gets the same answer without anything being
-- done twice. Those that a worker has under way at the same time have a slot each.
--
-- A worker that finds less than it wants offers itself, and is given the next job that comes alone (`enqueue_new.lua`). Of its
-- offer it says, before its number: `n` it is new, `s` it stands as far as is known, `w` it is withdrawn.
--
-- Operations come in groups that have in common: what they are, how many, the jobs' kind, tenant and topic (none for their
-- own channel), the attempt, and a figure or word more. All jobs of a parcel that complete together are a group, which has the
-- parcel's name in place of the kind, and their results in the order of its list.
local worker, slot, round, lease, want, kinds = arg(), arg(), arg(), number(), number(), arg()
local offer = arg()
local believed, ops, groups = arg(), number(), number()
local memory, job_key, ids_at = base .. 'round:' .. worker .. ':' .. slot, base .. 'job:', cursor
cursor = cursor + ops
local HEADER, WIDTH = 7, { given = 6, told = 7, tell = 3, parcel = 1 }
-- How many jobs a parcel has that is taken.
local LEAST, MOST = 4, 32

local function knows(kind)
  return kinds == '' or kind == kinds or find(' ' .. kinds .. ' ', ' ' .. kind .. ' ', 1, true) ~= nil
end

-- What it took: ids, and the attempts that are not the first.
local claims, attempts = {}, {}
-- What a worker gets of jobs, three strings for each: its id, the job as it is stored, and a payload that is apart. For a parcel
-- these are its name, its list, and nothing.
local given = {}
local statuses, is_over, over_long = '', false, {}
-- Where it stopped taking at a job that goes the long way: how many are left of its tenant's share, and how many tenants
-- are still to be served in turn.
local share_left, turns
local function remember()
  if ops == 0 and #claims == 0 then return end
  local names = claims
  if next(attempts) then
    names = {}
    for i, id in ipairs(claims) do names[i] = attempts[id] and id .. ':' .. attempts[id] or id end
  end
  call('SET', memory, round .. ';' .. statuses .. ';' .. table.concat(names, ','), 'PX', 3600000)
end
local last_round = string.match(call('GETRANGE', memory, 0, 31), '^%d+')
local is_repeated = last_round == round
-- It was held up on a connection that the worker has given up; nobody waits for it any more.
if last_round and tonumber(last_round) > tonumber(round) then return { string.rep('0', ops), {}, -1, run, {}, {} } end

-- What is said of its offer: 1 if it stands, or what it was given by it and did not hear of. That takes a place of those that
-- it wants to fill.
local heard, offers, offered, is_meant = {}, nil, nil, false
if offer ~= '' then
  local says, its_number = sub(offer, 1, 1), sub(offer, 2)
  offers, is_meant = base .. 'offers', says ~= 'w'
  offered = worker .. ' ' .. int(lease) .. ' ' .. its_number .. ' ' .. kinds
  local id = says ~= 'n' and call('ZREM', offers, offered) == 0 and
    string.match(call('GET', base .. 'hand:' .. worker) or '', '^' .. its_number .. ' (%w+)$')
  if id then
    heard, is_meant = { 0 }, false
    local raw = tonumber(call('ZSCORE', base .. 'active', id) or 0) > now and call('GET', job_key .. id)
    -- It may be over, or its lease, or it is somebody else's by now.
    if raw and find(raw, 'active 1 0 worker=' .. worker .. ' ', 1, true) == 1 then
      heard, want = { 0, id, raw }, math.max(0, want - 1)
    end
  end
end

repeat
  local counted = call('HMGET', base .. 'count', 'settings', 'parked', 'due', 'prune', 'waiting', 'bytes', 'sequence',
    'completed', 'completed_bytes', 'active_more', 'completed_more')
  local due_at, prune_at, sequence = tonumber(counted[3]) or 0, tonumber(counted[4]) or 0, tonumber(counted[7]) or 0
  local completed_bytes, active_more, completed_more = tonumber(counted[9]) or 0, tonumber(counted[10]) or 0, tonumber(counted[11]) or 0
  if is_repeated or (tonumber(counted[1]) or 0) > 0 or (tonumber(counted[2]) or 0) > 0 then break end
  if want > 0 and (due_at <= now or call('EXISTS', base .. 'asides', base .. 'ring:0', base .. 'ring:2') > 0) then break end
  if ops > 512 or ops > 0 and (believed ~= run or prune_at <= now) then break end

  -- The fence: what was written about a job meanwhile has changed its front, which follows the state. So the front is as
  -- the worker got it, or the job goes the long way. A parcel of which a job was written about is there no more.
  local keys, raws, at, n = {}, {}, cursor, 0
  if ops > 0 then
    for _ = 1, groups do
      local what, many = A[at + 1], tonumber(A[at + 2])
      if what == 'parcel' and not call('ZSCORE', base .. 'active', A[at + 3]) then
        n = nil
        break
      end
      if what ~= 'parcel' then
        for i = n + 1, n + many do keys[#keys + 1] = job_key .. A[ids_at + i] end
      end
      at, n = at + HEADER + many * (WIDTH[what] or 2), n + many
    end
    if not n then break end
    if #keys > 0 then raws = call('MGET', unpack(keys)) end
    at, n = cursor, 0
    for _ = 1, groups do
      local what, many = A[at + 1], tonumber(A[at + 2])
      local width = WIDTH[what]
      at = at + HEADER
      if what == 'parcel' then
        at, many = at + many, 0
      elseif not width then
        n = -1
      end
      for _ = 1, width and many or 0 do
        n = n + 1
        local raw, front = raws[n], A[at + 1]
        at = at + width
        if not raw or find(raw, front, 7, true) ~= 7 or string.byte(raw, 7 + #front) ~= 59 then
          n = -1
          break
        end
      end
      if n < 0 then break end
    end
    if n < 0 then break end
  end

  -- What it finished, and what it has to tell.
  local pairs_to_set, last, tenants, finished = {}, 0, {}, 0
  if ops > 0 then
    at, n = cursor, 0
    -- `single` counts those that are no parcel's.
    local ended, done, of_kind, single = {}, {}, {}, 0
    for _ = 1, groups do
      local what, many, kind, tenant, topic = A[at + 1], tonumber(A[at + 2]), A[at + 3], A[at + 4], A[at + 5]
      local name, since, number = kind, nil, nil
      if what == 'parcel' then since, number, kind = parcel_named(name) end
      local after_id = '","kind":"' .. kind .. '","attempt":' .. A[at + 6] .. ',"time":' .. now_text .. ',"data":'
      local more = A[at + 7]
      at = at + HEADER
      if what == 'tell' then
        local before_id = '{"type":"' .. more .. '","job":"'
        local i = 1
        while i <= many do
          -- Those that follow each other tell of one job in one message.
          local id, epoch, lines = A[ids_at + n + i], A[at + 2], {}
          repeat
            lines[#lines + 1] = before_id .. id .. after_id .. A[at + 3] .. '}'
            at, i = at + 3, i + 1
          until i > many or A[ids_at + n + i] ~= id
          local length = call('RPUSH', base .. 'log:' .. id, unpack(lines))
          publish_lines(base .. 'ch:' .. id, epoch, length - #lines + 1, lines)
          -- From now on its log has to be cut: the long way does.
          if length > log_max_events or length * 1024 > log_max_bytes then over_long[#over_long + 1] = id end
        end
        n, single = n + many, single + many
      elseif what == 'parcel' then
        local log, lines, size = topic ~= '' and open_shared(topic), {}, 0
        local epoch = string.gsub(sub(since, 2), ' ', '')
        completed_bytes = completed_bytes + more
        tenants[tenant] = (tenants[tenant] or 0) - many
        of_kind[kind] = (of_kind[kind] or 0) + many
        for i = 1, many do
          local id = A[ids_at + n + i]
          local json = '{"type":"completed","job":"' .. id .. after_id .. A[at + i] .. '}'
          if log then
            lines[i], size = json, size + #json
          else
            call('PUBLISH', base .. 'ch:' .. id, published(epoch, '1', json))
          end
        end
        if log then append_lines(log, lines, size) end
        call('RPUSH', base .. 'results:' .. number, unpack(A, at + 1, at + many))
        call('ZREM', base .. 'parcels', name)
        local m = #ended + 1
        ended[m] = name
        name = name .. ' ' .. now_text .. ' ' .. more .. ' ' .. run
        call('ZADD', base .. 'parcels', 0, name)
        done[2 * m - 1], done[2 * m] = now_text, name
        active_more, completed_more = active_more + 1 - many, completed_more + many - 1
        at, n, finished = at + many, n + many, finished + many
      else
        local width, log, lines, size = WIDTH[what], topic ~= '' and open_shared(topic), {}, 0
        completed_bytes = completed_bytes + more
        tenants[tenant] = (tenants[tenant] or 0) - many
        of_kind[kind] = (of_kind[kind] or 0) + many
        finished = finished + many
        for i = 1, many do
          n, single = n + 1, single + 1
          local id, front, new, between, result = A[ids_at + n], A[at + 1], A[at + 2], A[at + 3], A[at + 4]
          local json = '{"type":"completed","job":"' .. id .. after_id .. result .. '}'
          if what == 'told' then
            local offset = int(call('LLEN', base .. 'log:' .. id) + 1)
            between = between .. offset .. A[at + 7]
            call('PUBLISH', base .. 'ch:' .. id, published(A[at + 6], offset, json))
          elseif log then
            lines[i], size = json, size + #json
          else
            call('PUBLISH', base .. 'ch:' .. id, published(A[at + 6], '1', json))
          end
          pairs_to_set[last + 1] = keys[single]
          pairs_to_set[last + 2] = 'completed' .. (new ~= '' and new or front) .. ' finished=' .. now_text .. between ..
            sub(raws[single], 8 + #front) .. result
          last = last + 2
          local m = #ended + 1
          ended[m], done[2 * m - 1], done[2 * m] = id, now_text .. A[at + 5], id
          at = at + width
        end
        if log then append_lines(log, lines, size) end
      end
    end
    statuses = string.rep('1', ops)
    is_over = true
    if finished > 0 then
      in_pieces('ZREM', base .. 'active', ended)
      in_pieces('ZADD', base .. 'completed', done)
      for kind, many in pairs(of_kind) do
        local field = 'completed:' .. kind
        if call('HINCRBY', base .. 'kinds', field, many) == many and call('HLEN', base .. 'kinds') > 512 then
          call('HDEL', base .. 'kinds', field)
        end
      end
      -- For each job that ends, up to two old ones go.
      local left = 2 * finished + 16
      local surplus = math.min(left, call('ZCARD', base .. 'completed') + completed_more - keep_jobs)
      local over = 0
      if surplus <= 0 and completed_bytes > keep_bytes then surplus, over = 1, completed_bytes - keep_bytes end
      while surplus > 0 do
        local popped, gone, part, part_bytes = pop_oldest(base .. 'completed', surplus, completed_more, over > 0 and over)
        -- One that ended in this round may go at once; its record is written, and goes, below.
        if last > 0 then
          call('MSET', unpack(pairs_to_set))
          pairs_to_set, last = {}, 0
        end
        local bytes, more = unlink(popped)
        completed_bytes, completed_more = completed_bytes - bytes - part_bytes, completed_more - more - part
        left = left - gone
        over = completed_bytes - keep_bytes
        surplus = gone > 0 and left > 0 and over > 0 and 1 or 0
      end
    end
  end

  -- Most jobs are new and can't expire, and publish their outcome only, or all on a channel of their own.
  local beginning = 'active 1 0 worker=' .. worker .. ' started=' .. now_text .. ' place='
  -- `behind` are the tenants that were put behind the others again.
  local active, deadline, bytes, behind = {}, int(now + lease), 0, {}
  local function put(member, id, raw, apart)
    active[#active + 1], active[#active + 2] = deadline, member
    local m = #given
    given[m + 1], given[m + 2], given[m + 3] = id, raw, apart
  end
  -- `raw` is the job as it is stored from now on, `apart` its payload if that is apart.
  local function claim(id, raw, size, extra, apart)
    pairs_to_set[last + 1], pairs_to_set[last + 2] = job_key .. id, raw
    last = last + 2
    claims[#claims + 1] = id
    put(id, id, raw, apart)
    bytes = bytes + size + extra
  end
  -- How many bytes only workers read, by where a job's options begin.
  local function extra_of(raw, at) return string.byte(raw, at) == 32 and string.match(raw, '^ extra=(%d+)', at) or 0 end
  while #claims < want and not share_left do
    local tenant, turn = unpack(call('ZPOPMIN', base .. 'ring:1'))
    if not tenant then break end
    behind[tenant] = nil
    turns = turns or 1 + call('ZCARD', base .. 'ring:1')
    local line = base .. 'wait:1:' .. tenant
    local share = math.min(math.ceil(want / turns), want - #claims)
    local left, before = share, #claims
    repeat
      local popped = call('ZPOPMIN', line)
      local name, many = popped[1], 1
      if not name then break end
      -- Parcels begin with `@`.
      if string.byte(name) == 64 then
        local since, its_number, kind, _, _, its_size = parcel_named(name)
        local each = tonumber(its_size)
        local first = tonumber(popped[2]) - 1
        if not knows(kind) then
          call('ZADD', line, popped[2], name)
          share_left = left
          break
        end
        local held = base .. 'parcel:' .. its_number
        local there = call('LLEN', held) / 2
        many = math.min(left, there)
        local taken, pieces = 0, math.ceil(many / MOST)
        while taken < many do
          -- As equal as they can be, so that none is very small.
          local n = math.ceil((many - taken) / pieces)
          pieces = pieces - 1
          local is_rest = taken + n == there
          local jobs
          if is_rest and n >= LEAST then jobs = call('LRANGE', held, 0, -1) else jobs = call('LPOP', held, 2 * n) or {} end
          local greatest, least, claimed = jobs[1], jobs[1], #claims
          for i = 1, n do
            local id, size, extra = jobs[2 * i - 1], each, 0
            if not each then
              local head, at = jobs[2 * i], nil
              -- What can't be read is given all the same: the worker has it fail.
              size, at = string.match(head, '^%l+(%d+) %S+ %d+ %d %S+ %S+()')
              size, extra = size or 0, at and extra_of(head, at) or 0
            end
            if n < LEAST then
              claim(id, beginning .. int(first + taken + i) .. since .. jobs[2 * i], size, extra, '')
            else
              if id > greatest then greatest = id elseif id < least then least = id end
              claims[claimed + i], bytes = id, bytes + size + extra
            end
          end
          if n >= LEAST then
            local number = its_number
            if not is_rest then
              sequence = sequence + 1
              number = int(sequence)
              call('RPUSH', base .. 'parcel:' .. number, unpack(jobs))
            end
            local part = '@' .. greatest .. least .. ' ' .. number .. sub(name, 55 + #its_number) .. ' ' .. worker .. ' ' .. now_text ..
              ' ' .. int(first + taken + 1) .. ' ' .. int(n)
            call('ZADD', base .. 'parcels', 0, part)
            put(part, part, jobs, '')
            active_more = active_more + n - 1
          end
          taken = taken + n
        end
        if many < there then
          call('ZADD', line, int(first + many + 1), name)
        else
          call('ZREM', base .. 'parcels', name)
        end
      else
        if left > 1 then
          local more = call('ZPOPMIN', line, left - 1)
          for i = 1, #more do popped[i + 2] = more[i] end
        end
        local their_keys, goes_back = {}, nil
        many = #popped / 2
        for i = 1, many do
          if string.byte(popped[2 * i - 1]) == 64 then
            -- What was behind the first is a parcel.
            many, goes_back = i - 1, i
            break
          end
          their_keys[i] = job_key .. popped[2 * i - 1]
        end
        local found = call('MGET', unpack(their_keys))
        for i = 1, many do
          local id, place, raw = popped[2 * i - 1], popped[2 * i], found[i]
          local body, size, kind, at, length, of_run, epoch, from
          local first = raw and string.byte(raw, 1)
          if first == 59 then
            body, size, kind, at = string.match(raw, '^o([ix])f(%d+) (%S+) %d+ %d %S+ %S+()', 23)
          elseif first == 32 then
            length, of_run, epoch, from, body, size, kind, at =
              string.match(raw, '^ log=1:1:(%d+):(%w+):(%w+)();%d+ %w+ a([ix])f(%d+) (%S+) %d+ %d %S+ =()')
            if of_run ~= run then kind = nil end
          end
          if not kind or not knows(kind) then
            -- It goes the long way, and so do those behind it.
            goes_back, share_left = i, share + before - #claims
            break
          end
          if from then
            local json = '{"type":"started","job":"' .. id .. '","kind":"' .. kind .. '","attempt":1,"time":' .. now_text ..
              ',"from":2}'
            local listed = call('RPUSH', base .. 'log:' .. id, json)
            if listed > 2 then call('LTRIM', base .. 'log:' .. id, -2, -1) end
            -- Where the first event was lost, the log begins with this one.
            local where = listed > 1 and '2:1:' .. int(length + #json) or '2:2:' .. #json
            call('PUBLISH', base .. 'ch:' .. id, published(epoch, '2', json))
            raw = beginning .. place .. ' from=2 log=' .. where .. ':' .. run .. ':' .. epoch .. sub(raw, from)
          else
            raw = beginning .. place .. raw
          end
          claim(id, raw, size, extra_of(found[i], at), body == 'x' and call('GET', base .. 'body:' .. id) or '')
        end
        if goes_back then
          local rest = {}
          for k = goes_back, #popped / 2 do rest[#rest + 1], rest[#rest + 2] = popped[2 * k], popped[2 * k - 1] end
          in_pieces('ZADD', line, rest)
        end
      end
      left = left - many
    until left == 0 or share_left
    if share_left then call('ZADD', base .. 'ring:1', turn, tenant) end
    local got = #claims - before
    if got > 0 then
      tenants[tenant] = (tenants[tenant] or 0) + got
      if call('HINCRBY', base .. 'tenants', 'w:' .. tenant, -got) <= 0 then
        call('HDEL', base .. 'tenants', 'w:' .. tenant)
      end
    end
    if share_left then
      -- Its turn goes on.
    elseif left == 0 and call('ZCARD', line) > 0 then
      sequence = sequence + 1
      call('ZADD', base .. 'ring:1', 'NX', int(sequence), tenant)
      behind[tenant] = true
    else
      turns = turns - 1
    end
    if turns == 0 then break end
  end
  local got = #claims
  if got > 0 then
    in_pieces('ZADD', base .. 'active', active)
    due_at = math.min(due_at, now + lease)
  end

  for i = 1, last, 256 do call('MSET', unpack(pairs_to_set, i, math.min(i + 255, last))) end
  for _, log in ipairs(opened) do close_log(log) end
  logs, opened = {}, {}
  for tenant, by in pairs(tenants) do
    if by ~= 0 and call('HINCRBY', base .. 'tenants', 'a:' .. tenant, by) <= 0 then
      call('HDEL', base .. 'tenants', 'a:' .. tenant)
    end
  end
  call('HSET', base .. 'count', 'waiting', int((tonumber(counted[5]) or 0) - got), 'bytes', int((tonumber(counted[6]) or 0) - bytes),
    'sequence', int(sequence), 'due', int(due_at), 'completed', int((tonumber(counted[8]) or 0) + finished),
    'completed_bytes', int(completed_bytes), 'active_more', int(active_more), 'completed_more', int(completed_more))
  if share_left then break end
  remember()
  if got == want and (next(behind) or call('EXISTS', base .. 'ring:0', base .. 'ring:1', base .. 'ring:2') > 0) then wake() end
  if is_meant and got < want then
    call('ZADD', offers, now_text, offered)
    heard = { 1 }
  end
  do return { statuses, given, got < want and math.max(0, due_at - now) or -1, run, over_long, heard } end
until true
