-- Where a log is, without changing anything: epoch, newest offset, former epochs, first offset. The log of a job's own
-- channel is told by the job.
local function position(base, topic)
  if #topic == 26 then
    local head = string.match(redis.call('GETRANGE', base .. 'job:' .. topic, 0, 4095), '^[^\n]*')
    local created, born, rest = string.match(head, '^%l+ %d+ %d+ %d+ %d %l+ (%d+) (%w+) %S+ %S+ = %d+(.*)$')
    if created then
      local offset, first, epoch, former = string.match(rest, ' log=(%d+):(%d+):%d+:%w+:(%w+):?(%S*)')
      if not offset then return created .. born, 0, '', 1 end
      return epoch, tonumber(offset), string.gsub(former, '/', ' '), tonumber(first)
    end
  end
  local top = redis.call('HMGET', base .. 'top:' .. topic, 'e', 'o', 'p', 'f')
  return top[1] or '', tonumber(top[2]) or 0, top[3] or '', tonumber(top[4]) or 1
end
