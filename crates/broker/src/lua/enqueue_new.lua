-- Most batches are of new jobs only, and ask for nothing special: these are stored with one command if none is there yet.
-- Of the reply a number stands for what was said of the job before, but with this offset.
--
-- Jobs come in groups that have in common: what they ask for (`n` nothing, `s` that it is said that they are there, `x`
-- something special), how many they are, kind, tenant, topic (none for a job's own), priority, bytes of all payloads, and how
-- they are stored: `x` if payloads are apart, `k` if their ids may be known already, `p` if as a parcel, which is followed by the
-- greatest and the least id and, if all have one, the size of each. `job.lua` says what a job is from its head on, `parcels.lua`
-- what a parcel is.
--
-- Ids of a parcel were never used before, so that nobody has to look for them. But a batch may come twice, when its answer
-- was lost. The second one says which it stands for: it goes the long way, which looks for each, and has the first refused should it
-- still come.
--
-- One that comes alone where none waits is given at once to a worker that offered itself, if it hears it: nobody has to look for it.
--
-- `placement` is by which placement the jobs came here, `!` if only because what they belong to is here already.
local keep_key_ms, max_waiting, max_bytes, placement = number(), number(), number(), arg()
local copy = arg()
local n, groups = number(), number()
local HEADER = 8
-- The placement that this partition knows.
local placed
-- What all jobs of this script have in common.
local job_key, since, birth_epoch = base .. 'job:', ';' .. now_text .. ' ' .. born .. ' ', now_text .. born
local function queued(id, kind, say)
  -- Each string that is made on the way to another costs as much as that.
  if say == '' then
    return '{"type":"queued","job":"' .. id .. '","kind":"' .. kind .. '","attempt":0,"time":' .. now_text .. '}'
  end
  return '{"type":"queued","job":"' .. id .. '","kind":"' .. kind .. '","attempt":0,"time":' .. now_text .. ',"data":' .. say .. '}'
end
-- The log of a channel of its own begins with the job: there is nothing to be read. `begun` tells that it was taken at once.
local function begin_own_log(id, json, begun)
  local key, many = base .. 'log:' .. id, begun and 2 or 1
  local listed = begun and call('RPUSH', key, json, begun) or call('RPUSH', key, json)
  if listed > many then call('LTRIM', key, -many, -1) end
  json = published(birth_epoch, '1', json)
  call('PUBLISH', base .. 'ch:' .. id, begun and json .. '\n' .. begun or json)
end
-- The worker that has offered itself for longest, and has the kind. A live one renews its offer more often than that.
local function offered_for(kind)
  for _ = 1, 4 do
    local text, since = unpack(call('ZPOPMIN', base .. 'offers'))
    if not text then return end
    if now - since < 5000 then
      local name, lease, offer, kinds = string.match(text, '^(%S+) (%d+) (%d+) (.*)$')
      if kinds == '' or find(' ' .. kinds .. ' ', ' ' .. kind .. ' ', 1, true) then
        -- Asked before anything is written: where it may not be asked, nothing was done. A worker that is gone is given nothing.
        local hand = base .. 'hand:' .. name
        if call('PUBSUB', 'NUMSUB', hand)[2] == 0 then return end
        return { text = text, since = since, name = name, hand = hand, deadline = now + lease, offer = offer }
      end
      call('ZADD', base .. 'offers', since, text)
      return
    end
  end
end

-- Who sends the batch, its number, and that of the one it stands for, if any. Only a batch that has a parcel, or stands for another, has
-- a name: nothing else is harmed by coming twice.
local stands_for
if copy ~= '' then
  local sender, its_number, other = string.match(copy, '^(%w+) (%d+) ?(%d*)$')
  local key = base .. 'sent:' .. sender
  local refused_to = tonumber(call('GET', key)) or 0
  stands_for = tonumber(other)
  if stands_for then
    -- For longer than any connection lives on which the other may still come.
    if refused_to < stands_for then call('SET', key, other, 'PX', 3600000) end
  elseif refused_to >= tonumber(its_number) then
    -- Nobody waits for its answer any more.
    do return {} end
  end
end

repeat
  local counted = call('HMGET', base .. 'count', 'waiting', 'bytes', 'sequence', 'settings', 'enqueued', 'placement', 'due')
  placed = counted[6] or ''
  local waiting, bytes, sequence = tonumber(counted[1]) or 0, tonumber(counted[2]) or 0, tonumber(counted[3]) or 0
  if stands_for or n > 512 or placed ~= placement then break end
  -- A queue that is only paused takes jobs as ever, and wakes nobody.
  local is_paused = (tonumber(counted[4]) or 0) > 0
  if is_paused and (tonumber(counted[4]) > 1 or not call('HGET', base .. 'settings', 'paused')) then break end
  if waiting + call('ZCARD', base .. 'delayed') + n > max_waiting then break end

  -- It must be one that could be taken the short way (`round_new.lua`).
  local first, taker, begun = cursor + HEADER + 1, nil, nil
  if n == 1 and waiting == 0 and not is_paused and A[cursor + 1] ~= 'x' and not find(A[cursor + 8], 'x', 1, true) then
    local events, max = string.match(A[first + 1], '^(%l)%l+%d+ %S+ (%d+)')
    local is_own = A[cursor + 1] == 's' and A[cursor + 5] == ''
    -- Who stalls does not hear it before its lease is over, which spends an attempt: so it must have another.
    taker = max ~= '1' and (events == 'a') == is_own and offered_for(A[cursor + 3])
    begun = taker and is_own and '{"type":"started","job":"' .. A[first] .. '","kind":"' .. A[cursor + 3] ..
      '","attempt":1,"time":' .. now_text .. ',"from":2}'
  end
  local front = taker and 'active 1 0 worker=' .. taker.name .. ' started=' .. now_text .. ' place=' .. int(sequence + 1)

  local pairs_to_set, events, last, at, i = {}, {}, 0, cursor, 0
  for _ = 1, groups do
    local mode, many, kind, topic, how = A[at + 1], tonumber(A[at + 2]), A[at + 3], A[at + 5], A[at + 8]
    bytes = bytes + tonumber(A[at + 7])
    at = at + HEADER
    if mode == 'x' then
      bytes = nil
      break
    end
    local says, apart = mode == 's', find(how, 'x', 1, true)
    local own_log = says and topic == '' and ' log=1:1:'
    local is_parcel = sub(how, 1, 1) == 'p'
    local looked_for = sub(how, 1, 1) == 'k' and call('EXISTS', base .. 'parcels') == 1
    if is_parcel then at, i = at + (says and 3 or 2) * many, i + many end
    for _ = 1, is_parcel and 0 or many do
      local id, head = A[at + 1], A[at + 2]
      if looked_for and parcel_of(base, id) then bytes = math.huge end
      at, i = at + 2, i + 1
      pairs_to_set[last + 1] = job_key .. id
      if says then
        at = at + 1
        local json = queued(id, kind, A[at])
        events[i] = json
        head = own_log and own_log .. #json .. ':' .. run .. ':' .. birth_epoch .. since .. head or since .. head
      else
        head = since .. head
      end
      pairs_to_set[last + 2] = head
      last = last + 2
      if apart then
        at = at + 1
        pairs_to_set[last + 1], pairs_to_set[last + 2] = base .. 'body:' .. id, A[at]
        last = last + 2
      end
    end
  end
  if begun then
    pairs_to_set[2] = front .. ' from=2 log=2:1:' .. #events[1] + #begun .. ':' .. run .. ':' .. birth_epoch .. since ..
      A[first + 1]
  elseif taker then
    pairs_to_set[2] = front .. pairs_to_set[2]
  end
  if not bytes or bytes > max_bytes or (last > 0 and call('MSETNX', unpack(pairs_to_set)) == 0) then
    if taker then call('ZADD', base .. 'offers', taker.since, taker.text) end
    break
  end
  if taker then call('SET', taker.hand, taker.offer .. ' ' .. A[first], 'PX', 3600000) end

  local reply, of_tenant, rings, last_epoch = {}, {}, {}
  at, i = cursor, 0
  for _ = 1, groups do
    local says, many, kind, tenant, topic = A[at + 1] == 's', tonumber(A[at + 2]), A[at + 3], A[at + 4], A[at + 5]
    local priority, how = A[at + 6], A[at + 8]
    local step = 2 + (says and 1 or 0) + (find(how, 'x', 1, true) and 1 or 0)
    at = at + HEADER
    of_tenant[tenant] = (of_tenant[tenant] or 0) + many
    local ring = priority .. ':' .. tenant
    if not taker and not rings[ring] then
      rings[ring] = true
      sequence = sequence + 1
      call('ZADD', base .. 'ring:' .. priority, 'NX', int(sequence), tenant)
    end
    local log = topic ~= '' and open_shared(topic)
    local line = {}
    if sub(how, 1, 1) == 'p' then
      local first, epoch, offset = int(sequence + 1), log and log.epoch or birth_epoch, log and log.offset or 0
      local size = #how > 53 and sub(how, 54) or '-'
      local name = '@' .. sub(how, 2, 53) .. ' ' .. first .. ' ' .. now_text .. ' ' .. born .. ' ' .. kind .. ' ' .. ring .. ' ' .. size
      local held, from, to = A, at + 1, at + 2 * many
      if says then
        held, from, to = {}, 1, 2 * many
        local lines, size = {}, 0
        for k = 1, many do
          local json = queued(A[at + 3 * k - 2], kind, A[at + 3 * k])
          held[2 * k - 1], held[2 * k] = A[at + 3 * k - 2], A[at + 3 * k - 1]
          lines[k], size = json, size + #json
        end
        append_lines(log, lines, size)
      end
      for k = from, to, 512 do call('RPUSH', base .. 'parcel:' .. first, unpack(held, k, math.min(k + 511, to))) end
      call('ZADD', base .. 'parcels', 0, name)
      line[1], line[2] = first, name
      for k = 1, many do reply[i + k] = says and offset + k or offset end
      if epoch ~= last_epoch then reply[i + 1] = { 0, '', epoch, reply[i + 1] } end
      at, i, sequence, last_epoch = at + step * many, i + many, sequence + many, epoch
    else
      for k = 1, many do
        local id, epoch, offset = A[at + 1], birth_epoch, 0
        at, i, sequence = at + step, i + 1, sequence + 1
        line[2 * k - 1], line[2 * k] = int(sequence), id
        if says then
          if log then append_line(log, events[i]) else begin_own_log(id, events[i], begun) end
          offset = 1
        end
        if log then epoch, offset = log.epoch, log.offset end
        if epoch == last_epoch then reply[i] = offset else reply[i] = { 0, '', epoch, offset } end
        last_epoch = epoch
      end
    end
    if not taker then in_pieces('ZADD', base .. 'wait:' .. ring, line) end
  end
  local which = taker and 'a:' or 'w:'
  for tenant, many in pairs(of_tenant) do call('HINCRBY', base .. 'tenants', which .. tenant, many) end
  for _, log in ipairs(opened) do close_log(log) end
  local enqueued = int((tonumber(counted[5]) or 0) + n)
  if taker then
    call('ZADD', base .. 'active', int(taker.deadline), A[first])
    call('HSET', base .. 'count', 'sequence', int(sequence), 'enqueued', enqueued,
      'due', int(math.min(tonumber(counted[7]) or 0, taker.deadline)))
    -- Of several messages Redis writes the last one first, and this is the one that is waited for.
    call('PUBLISH', taker.hand, taker.offer .. ' ' .. run .. ' ' .. A[first] .. '\n' .. pairs_to_set[2])
  else
    call('HSET', base .. 'count', 'waiting', int(waiting + n), 'bytes', int(bytes), 'sequence', int(sequence),
      'enqueued', enqueued)
    if not is_paused then wake() end
  end
  do return reply end
until true
