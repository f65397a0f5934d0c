-- Shared by the scripts of schedules. KEYS[1] is the queue's base. What is said of a schedule stands in one hash, its times
-- in a line before it, which is all that scripts look at; how far it is, in another: `<claim> <next> <paused> <last time>
-- <last job>`, with `-` for none. The set has when each is to be looked at: its next time, or the end of the claim on it.
-- One that is paused or over is not in it.
local base, call = KEYS[1], redis.call
local definitions, states, dues = base .. 'schedules', base .. 'schedules:state', base .. 'schedules:due'
local clock = call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local function state_of(name)
  local text = call('HGET', states, name)
  local claim, next, paused, at, job = string.match(text or '', '^(%S+) (%S+) (%S+) (%S+) (%S+)$')
  return claim and { claim = claim, next = next, paused = paused, at = at, job = job }
end

local function save(name, state)
  call('HSET', states, name, table.concat({ state.claim, state.next, state.paused, state.at, state.job }, ' '))
end

local function await(name, state)
  if state.next == '-' or state.paused == '1' then call('ZREM', dues, name) else call('ZADD', dues, state.next, name) end
end

-- Times stay text: Lua would not print all of them as they were.
local function is_past(time) return time ~= '-' and tonumber(time) <= now end

local function has_times(definition, when) return string.sub(definition, 1, #when + 1) == when .. '\n' end
