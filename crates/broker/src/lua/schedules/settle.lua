-- Ends claims: says when each schedule is next, and what its latest run was. A claim that is not the last one writes
-- nothing.
local claim, answers = ARGV[1], {}
for i = 2, #ARGV, 4 do
  local name, next, at, job = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  local state = state_of(name)
  local holds = state and state.claim == claim
  if holds then
    state.claim, state.next = '-', next
    if at ~= '-' then state.at, state.job = at, job end
    save(name, state)
    await(name, state)
  end
  answers[#answers + 1] = holds and 1 or 0
end
return answers
