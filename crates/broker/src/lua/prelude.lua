-- Shared by every script that writes. KEYS[1] is the queue's base, `<prefix>{<queue>}:`; all keys are made from
-- it, so they lie in one Cluster slot. Redis' own clock is the only one. `run` comes before this, with the text: which
-- run of Redis this is.
--
-- Redis reads each byte of each string that Lua makes, prints each number with 17 digits, spends more on a call than
-- on most commands, and makes each function anew each time that a script runs. So what happens to each job makes few
-- strings and no call of its own; what most calls need comes first, then the short way of a script, where it has one, and
-- what the rest needs only after that.
local base, A, call = KEYS[1], ARGV, redis.call
local find, sub = string.find, string.sub
local clock = call('TIME')
local now_text = clock[1] .. sub(string.format('%06d', clock[2]), 1, 3)
local now = tonumber(now_text)
local function int(n) return string.format('%d', n) end

local cursor = 0
local function arg() cursor = cursor + 1; return A[cursor] end
local function number() cursor = cursor + 1; return tonumber(A[cursor]) end

-- Limits of the event logs, which every writing script gets first.
local fresh_epoch = arg()
local log_max_events, log_max_bytes, log_ttl = number(), number(), number()

-- Commands on many members at once, in pieces that fit on Lua's stack.
local function in_pieces(command, key, list)
  for i = 1, #list, 256 do call(command, key, unpack(list, i, math.min(i + 255, #list))) end
end

-- Wakes one worker, if any is free to take what waits. The next is woken by the one that was.
local function wake()
  if call('LLEN', base .. 'wake') == 0 then call('LPUSH', base .. 'wake', '1') end
end
