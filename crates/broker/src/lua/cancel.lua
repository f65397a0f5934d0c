-- Cancels jobs: at once if they wait, else by telling the worker that runs them, unless active ones are to be left
-- alone. Where a tenant is given, only its own jobs are seen.
--@transitions
local owner, leave_active_ones, n = arg(), arg() == '1', number()
local reply = {}
preload({ unpack(A, cursor + 1, cursor + n) })
for i = 1, n do
  local id = arg()
  local job = read(id)
  if not job.state or (owner ~= '' and job.tenant ~= owner) then
    reply[i] = 'missing'
  elseif job.state == 'waiting' or job.state == 'delayed' then
    withdraw(id, job)
    close(id, job, 'cancelled')
    reply[i] = 'ok'
  elseif job.state == 'active' and not leave_active_ones then
    if not job.cancel then
      job.cancel = now
      touch(job)
    end
    tell(job.worker, 'cancel ' .. id .. ' ' .. job.attempt)
    reply[i] = 'requested'
  else
    reply[i] = job.state
  end
end
write_back()
trim_all()
finish()
return reply
