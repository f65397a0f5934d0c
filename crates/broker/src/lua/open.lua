-- Begins the log of a topic, unless it is there, and says where it is. Says nothing if it has to be begun elsewhere: the
-- partition knows a newer placement than who asks, or only what is there already was asked for.
local generation, only_there, topic = number(), arg() == '1', arg()
local known = call('HGET', base .. 'count', 'placement')
if known and tonumber(string.match(known, '^%d+')) > generation then return { 0, '', 0 } end
local is_there = call('EXISTS', base .. 'top:' .. topic) == 1
if only_there and not is_there then return { 0, '', 0 } end
local log = open_shared(topic)
write_top(log)
if not is_there then call('PEXPIRE', log.top, int(log_ttl)) end
return { 1, log.epoch, log.offset }
