-- Where logs are: of each topic the epoch, the newest offset and the former epochs.
local reply = {}
for i = 1, #ARGV do
  local top = redis.call('HMGET', KEYS[1] .. 'top:' .. ARGV[i], 'e', 'o', 'p')
  reply[i] = { top[1] or '', tonumber(top[2]) or 0, top[3] or '' }
end
return reply
