-- Shared by every script that writes. KEYS[1] is the queue's base, `<prefix>{<queue>}:`; all keys are made from
-- it, so they lie in one Cluster slot. Redis' own clock is the only one.
local base = KEYS[1]
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local function int(n) return string.format('%d', n) end

local cursor = 0
local function arg() cursor = cursor + 1; return ARGV[cursor] end
local function number() return tonumber(arg()) end

-- Limits of the event logs, which every writing script gets first.
local fresh_epoch = arg()
local log_max_events, log_max_bytes, log_ttl = number(), number(), number()

-- Counters are collected while a script runs and written once, at its end.
local totals, changes, tenant_changes = {}, {}, {}
-- What a script has read of the counters already.
local counted = {}
local function count(what) totals[what] = (totals[what] or 0) + 1 end
local function change(what, by) changes[what] = (changes[what] or 0) + by end
local function change_tenant(what, tenant, by)
  local field = what .. ':' .. tenant
  tenant_changes[field] = (tenant_changes[field] or 0) + by
end

-- Commands on many members at once, in pieces that fit on Lua's stack.
local function in_pieces(command, key, list)
  for i = 1, #list, 128 do redis.call(command, key, unpack(list, i, math.min(i + 127, #list))) end
end
