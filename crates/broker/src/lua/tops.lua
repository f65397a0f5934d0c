-- Where logs are: of each topic the epoch, the newest offset and the former epochs.
local reply = {}
for i = 1, #ARGV do
  local epoch, offset, former = position(KEYS[1], ARGV[i])
  reply[i] = { epoch, offset, former }
end
return reply
