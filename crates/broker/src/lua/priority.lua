-- Moves jobs that wait, or will, to the lines of another priority. There they stand by when they came in, as before.
--@transitions
local priority, n = arg(), number()
local reply = {}
preload({ unpack(A, cursor + 1, cursor + n) })
for i = 1, n do
  local id = arg()
  local job = read(id)
  if not job.state then
    reply[i] = 'missing'
  elseif job.state ~= 'waiting' and job.state ~= 'delayed' then
    reply[i] = job.state
  else
    local waits = job.state == 'waiting'
    local place
    if waits then
      write_additions()
      place = call('ZSCORE', base .. 'wait:' .. job.priority .. ':' .. job.tenant, id) or
        call('ZSCORE', base .. 'aside:' .. job.kind, id)
      withdraw(id, job)
    end
    job.priority = priority
    job.fixed = string.gsub(job.fixed, '%d( %S+ %S+)$', priority .. '%1')
    touch(job)
    if waits then
      enlist(id, priority, job.tenant, place or next_number(), job.bytes)
      if job.expires and job.attempt <= job.back then add('expiring', job.expires, id) end
    end
    reply[i] = 'ok'
  end
end
finish()
return reply
