-- Some of those who are in a room, and where to go on: 0 at the end. Whoever stays all the while is met at least once.
local at = room(ARGV[1])
local page = redis.call('HSCAN', at.who, ARGV[2], 'COUNT', 300)
local fields, reply = page[2], {}
for from = 1, #fields, 256 do
  local clients = {}
  for i = from, math.min(from + 255, #fields), 2 do clients[#clients + 1] = fields[i] end
  for n, due in ipairs(redis.call('ZMSCORE', at.due, unpack(clients))) do
    if due and tonumber(due) > now then reply[#reply + 1] = { clients[n], fields[from + 2 * n - 1] } end
  end
end
return { page[1], reply }
