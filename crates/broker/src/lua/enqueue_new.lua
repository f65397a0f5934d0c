-- Most batches are of new jobs only, and ask for nothing special: these are stored with one command if none is there yet.
-- Of the reply a number stands for what was said of the job before, but with this offset.
local keep_key_ms, max_waiting, max_bytes = number(), number(), number()
max_waiting, max_bytes = settings.max_waiting or max_waiting, settings.max_bytes or max_bytes

-- How full the queue is, what this script adds included.
local holds, bytes_held = counted.waiting + call('ZCARD', base .. 'delayed'), counted.bytes
-- What all jobs of this script have in common.
local job_key, since, birth_epoch = base .. 'job:', ' ' .. now_text .. ' ' .. born .. ' ', now_text .. born
local function queued(id, kind, say)
  local before = '{"type":"queued","job":"' .. id .. '","kind":"' .. kind .. '","attempt":0,"time":' .. now_text
  return say == '' and before .. '}' or before .. ',"data":' .. say .. '}'
end
-- The log of a channel of its own begins with the job: there is nothing to be read.
local function own_log(json) return ' log=1:1:' .. #json .. ':' .. run .. ':' .. birth_epoch .. ';' end
local function begin_own_log(id, json)
  if call('RPUSH', base .. 'log:' .. id, json) > 1 then call('LTRIM', base .. 'log:' .. id, -1, -1) end
  call('PUBLISH', base .. 'ch:' .. id, published(birth_epoch, '1', json))
end

local n = number()
local FIELDS = 11

repeat
  if n > 512 or holds + n > max_waiting or counted.settings > 0 then break end
  local seen, records, events, total, at = {}, {}, {}, 0, cursor
  for i = 1, n do
    local id, kind, _, topic, _, head, tail, body, _, options, say = unpack(A, at + 1, at + FIELDS)
    at = at + FIELDS
    if options ~= '' or #body > 1024 or seen[id] or topic ~= id and #topic == 26 then break end
    seen[id] = true
    total = total + #body
    local front = 'waiting;'
    if say ~= '-' then
      local json = queued(id, kind, say)
      events[i] = json
      if topic == id then front = 'waiting 0 0' .. own_log(json) end
    end
    records[2 * i - 1] = job_key .. id
    records[2 * i] = front .. head .. since .. tail .. '\n' .. body
  end
  if #records < 2 * n or bytes_held + total > max_bytes or call('MSETNX', unpack(records)) == 0 then break end

  local reply, before, line, of_priority, of_tenant, of_topic, log, last_epoch = {}, 0
  at = cursor
  for i = 1, n do
    local id, tenant, topic, priority, json = A[at + 1], A[at + 3], A[at + 4], A[at + 5], events[i]
    at = at + FIELDS
    if tenant ~= of_tenant or priority ~= of_priority then
      if i > 1 then change_tenant('w', of_tenant, i - 1 - before) end
      of_tenant, of_priority, before = tenant, priority, i - 1
      line = additions_to('wait:' .. priority .. ':' .. tenant)
      to_ring(priority, tenant)
    end
    local last = #line
    line[last + 1], line[last + 2] = next_number(), id
    local epoch, offset = birth_epoch, 0
    if topic ~= id then
      if topic ~= of_topic then of_topic, log = topic, open_shared(topic) end
      if json then append_line(log, json) end
      epoch, offset = log.epoch, log.offset
    elseif json then
      begin_own_log(id, json)
      offset = 1
    end
    if epoch == last_epoch then reply[i] = offset else reply[i] = { 0, '', epoch, offset } end
    last_epoch = epoch
  end
  change_tenant('w', of_tenant, n - before)
  change('waiting', n)
  change('bytes', total)
  change('enqueued', n)
  for _, log in ipairs(opened) do close_log(log) end
  write_additions()
  write_counters()
  wake()
  do return reply end
until true
