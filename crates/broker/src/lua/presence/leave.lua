-- Clients leave rooms. Says of each whether it was there.
local reply = {}
for i = 1, #ARGV, 2 do
  local at, client = room(ARGV[i]), ARGV[i + 1]
  reply[#reply + 1] = is_in(at, client) and 1 or 0
  drop(at, client)
end
for _, at in ipairs(touched) do sweep(at, 100) end
return reply
