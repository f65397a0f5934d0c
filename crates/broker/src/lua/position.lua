-- Where a log is, without changing anything: epoch, newest offset, former epochs, and for the log of a job's own channel
-- the job as it is stored, which tells the position.
local function position(base, topic, whole)
  if #topic == 26 then
    local raw = redis.call('GETRANGE', base .. 'job:' .. topic, 0, whole and -1 or 4095)
    local front, created, born = string.match(raw, '^([^;]*);%d+ %d %l+ (%d+) (%w+) %S+ %S+ = ')
    if front then
      local offset, epoch, former = string.match(front, ' log=(%d+):%d+:%d+:%w+:(%w+):?(%S*)')
      if not offset then return created .. born, 0, '', raw end
      return epoch, tonumber(offset), string.gsub(former, '/', ' '), raw
    end
  end
  local top = redis.call('HMGET', base .. 'top:' .. topic, 'e', 'o', 'p')
  return top[1] or '', tonumber(top[2]) or 0, top[3] or ''
end
