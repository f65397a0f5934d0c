-- Stores what is said of a schedule. Only where its times are new does it begin anew, which also takes a claim away.
local name, when, definition, next, paused, most = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], tonumber(ARGV[6])
local old = call('HGET', definitions, name)
if not old and call('HLEN', definitions) >= most then return 'full' end
local state = old and state_of(name) or { claim = '-', next = next, paused = '0', at = '-', job = '-' }
local anew, was = not old or not has_times(old, when), state.paused
if paused ~= '' then state.paused = paused end
-- What a rest passed over is not made up for.
local rested = was == '1' and state.paused == '0' and is_past(state.next)
if anew then state.claim = '-' end
if anew or rested then state.next = next end
call('HSET', definitions, name, when .. '\n' .. definition)
save(name, state)
if anew or was ~= state.paused then await(name, state) end
return old and 'updated' or 'created'
