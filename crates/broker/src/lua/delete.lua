-- Forgets jobs with all that belongs to them. One that still waits is cancelled first, so that who follows it hears of
-- it; one that runs is left alone. Where a state is given, one that is in another by now is left alone too.
--@transitions
local only, n = arg(), number()
local reply = {}
preload({ unpack(A, cursor + 1, cursor + n) })
for i = 1, n do
  local id = arg()
  local job = read(id)
  if not job.state then
    reply[i] = 'missing'
  elseif job.state == 'active' or (only ~= '' and job.state ~= only) then
    reply[i] = job.state
  else
    if job.state == 'waiting' or job.state == 'delayed' then
      withdraw(id, job)
      close(id, job, 'cancelled')
      write_additions()
    end
    local place = call('ZSCORE', base .. job.state, id) or '0'
    call('ZREM', base .. job.state, id)
    forget({ id, place }, job.state)
    if job.key then
      local owned = base .. 'key:' .. job.tenant .. ':' .. job.key
      if string.sub(call('GET', owned) or '', 42) == id then call('UNLINK', owned) end
    end
    count('deleted')
    reply[i] = 'ok'
  end
end
finish()
return reply
