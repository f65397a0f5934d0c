-- Where logs are: of each topic the epoch, the newest offset and the former epochs. And what is known of how the queue is
-- split, so that who follows topics hears of it.
local reply = {}
for i = 1, #ARGV do
  local epoch, offset, former = position(KEYS[1], ARGV[i])
  reply[i] = { epoch, offset, former }
end
return { reply, redis.call('HGET', KEYS[1] .. 'count', 'placement') or '' }
