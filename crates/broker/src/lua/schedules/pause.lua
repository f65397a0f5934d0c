-- Pauses a schedule, or lets it go on at a time that was made from the times it has.
local name, paused, when, next = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local definition, state = call('HGET', definitions, name), state_of(name)
if not definition or not state then return 'missing' end
if state.paused == paused then return 'same' end
if not has_times(definition, when) then return 'other' end
state.paused = paused
if paused == '0' and is_past(state.next) then state.next = next end
save(name, state)
await(name, state)
return 'ok'
