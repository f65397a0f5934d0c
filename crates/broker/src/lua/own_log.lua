-- The logs of jobs' own channels, and whatever is done to a log that may be one.

-- The log of a job's own channel begins with the job. Until it has an event the job alone says where it is.
local function open_own(log, job)
  log.job = job
  local offset, first, bytes, last_run, epoch, former
  if job.log then
    offset, first, bytes, last_run, epoch, former = string.match(job.log, '^(%d+):(%d+):([%d-]+):(%w+):(%w+):?(.*)$')
  end
  log.offset, log.first, log.bytes = tonumber(offset) or 0, tonumber(first) or 1, tonumber(bytes or '0')
  -- What an attempt tells is added to the log alone, and nobody counts its bytes.
  if job.log and (job.state == 'active' or not log.bytes) then
    local listed = call('LLEN', log.key)
    local more = log.first + listed - 1 - log.offset
    if more > 0 or not log.bytes then
      if more > 0 and job.state == 'active' then log.offset, log.changed = log.offset + more, true end
      log.bytes = 0
      for _, json in ipairs(call('LRANGE', log.key, 0, -1)) do log.bytes = log.bytes + #json end
    end
  end
  log.epoch, log.former = epoch or job.created .. job.born, former and string.gsub(former, '/', ' ') or ''
  if last_run then
    if last_run ~= run then continue(log) else log.is_current = job.state == 'active' end
  elseif job.born ~= born then
    continue(log)
  end
end
local function open(topic)
  local log = logs[topic]
  if log then return log end
  local job = #topic == 26 and read(topic)
  if not job or not job.own then return open_shared(topic) end
  log = begin(topic)
  open_own(log, job)
  logs[topic] = log
  opened[#opened + 1] = log
  return log
end

-- Before a job that goes on ceases to be active: it says again itself how long its log is.
local function settle_own_log(job)
  if job.own and job.log then open(job.id) end
end

-- Adds an event that has its offset already to what the list will hold.
local function list(log, json)
  log.fresh[#log.fresh + 1] = json
  log.bytes, log.changed = log.bytes + #json, true
end

-- The last event of a job's own log is `told` by the job.
local function append(topic, json, told)
  -- In JSON a bare line break is nothing but space.
  if find(json, '\n', 1, true) then json = string.gsub(json, '\n', ' ') end
  local log = open(topic)
  if told and log.job then
    log.told, log.changed = true, true
    log.offset = log.offset + 1
    log.out[#log.out + 1] = json
  else
    append_line(log, json)
  end
  return log
end

local close_logs
do
  -- Trims in strides, so that an entry is read at most once more than it was written. The newest always stays.
  local function trim(log)
    if log.offset - log.first + 1 > log_max_events + math.ceil(log_max_events / 8) or log.bytes > log_max_bytes then
      shorten(log, function()
        return log.first < log.offset and
          (log.offset - log.first + 1 > log_max_events or log.bytes > log_max_bytes - log_max_bytes / 8)
      end)
    end
  end

  function close_logs()
    for _, log in ipairs(opened) do
      if log.gone then
        publish(log)
      elseif not log.job then
        close_log(log)
      else
        store(log)
        trim(log)
        local job = log.job
        -- While an attempt lasts, a short log may be longer than its job says: then the job's front, the fence, stays.
        local is_told = log.is_current and not job.touched and log.first == 1 and log.offset <= 128
        if log.changed and not is_told then
          job.log = int(log.offset) .. ':' .. int(log.first) .. ':' .. int(log.bytes) .. ':' .. run .. ':' .. log.epoch
          if log.former ~= '' then job.log = job.log .. ':' .. string.gsub(log.former, ' ', '/') end
          touch(job)
        end
        publish(log)
      end
    end
    logs, opened = {}, {}
  end
end

-- Names, ids and numbers need no escaping in JSON; data and errors come as JSON.
local function event(kind_of_event, id, kind, attempt, data, err, time)
  local before_data, before_error = '', ''
  if data and data ~= '' then before_data = ',"data":' else data = '' end
  -- Who follows a job is told what went wrong, and not where in the worker.
  if err and err ~= '' then before_error, err = ',"error":', string.match(err, '^[^\n]*') else err = '' end
  return '{"type":"' .. kind_of_event .. '","job":"' .. id .. '","kind":"' .. kind .. '","attempt":' .. attempt ..
    ',"time":' .. (time or now) .. before_data .. data .. before_error .. err .. '}'
end
