-- Puts failed or cancelled jobs in line again, with all their attempts. Attempt numbers go on, since they fence.
--@transitions
local n = number()
local reply = {}
preload({ unpack(A, cursor + 1, cursor + n) })
for i = 1, n do
  local id = arg()
  local job = read(id)
  if not job.state then
    reply[i] = 'missing'
  elseif job.state ~= 'failed' and job.state ~= 'cancelled' then
    reply[i] = job.state
  else
    call('ZREM', base .. job.state, id)
    change(job.state .. '_bytes', -(tonumber(job.kept) or 0))
    local last = job.state
    job.state, job.back = 'waiting', job.attempt
    if job.own and job.log then
      -- Its end was told by the job; from now on the log tells it.
      local err = last == 'failed' and job.error and outcome(job)
      local json = string.gsub(event(last, id, job.kind, job.attempt, nil, err, job.finished), '\n', ' ')
      list(open(id), json)
    end
    job.finished, job.due, job.cancel, job.kept, job.expires = nil, nil, nil, nil, nil
    set_outcome(job)
    touch(job)
    enlist(id, job.priority, job.tenant, next_number(), job.bytes)
    if job.events == 'a' then append(job.topic, event('queued', id, job.kind, job.attempt)) end
    count('rerun')
    reply[i] = 'ok'
  end
end
finish()
return reply
