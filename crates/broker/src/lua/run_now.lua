-- Puts delayed jobs in line, whether their time has come or not.
--@transitions
local n = number()
local reply = {}
preload({ unpack(A, cursor + 1, cursor + n) })
for i = 1, n do
  local id = arg()
  local job = read(id)
  if not job.state then
    reply[i] = 'missing'
  elseif job.state ~= 'delayed' then
    reply[i] = job.state
  else
    call('ZREM', base .. 'delayed', id)
    leave_delayed(job.tenant, job.bytes)
    job.state, job.due = 'waiting', nil
    touch(job)
    enlist(id, job.priority, job.tenant, next_number(), job.bytes)
    reply[i] = 'ok'
  end
end
finish()
return reply
