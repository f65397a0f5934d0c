-- Where a log is, without changing anything: epoch, newest offset, former epochs, and for the log of a job's own channel
-- the job as it is stored, which tells the position.
local function position(base, topic, whole)
  if #topic == 26 then
    local raw = redis.call('GETRANGE', base .. 'job:' .. topic, 0, whole and -1 or 4095)
    if raw == '' then
      local name, held, i = parcel_of(base, topic)
      if name then raw = records_of(base, name, held, not whole, i)[(i + 1) / 2] end
    end
    local front, created, born = string.match(raw, '^([^;]*);(%d+) (%w+) %S+ %S+ %d+ %d %S+ =[ \n]')
    if front then
      local offset, first, epoch, former = string.match(front, ' log=(%d+):(%d+):[%d-]+:%w+:(%w+):?(%S*)')
      if not offset then return created .. born, 0, '', raw end
      offset = tonumber(offset)
      -- What an attempt tells is added to the log alone.
      if string.sub(front, 1, 6) == 'active' then
        offset = math.max(offset, redis.call('LLEN', base .. 'log:' .. topic) + first - 1)
      end
      return epoch, offset, string.gsub(former, '/', ' '), raw
    end
  end
  local top = redis.call('HMGET', base .. 'top:' .. topic, 'e', 'o', 'p')
  return top[1] or '', tonumber(top[2]) or 0, top[3] or ''
end
