-- Who is in rooms of one namespace. A room with somebody in it has three keys, which come and go together: clients by when
-- their entries die (`due:`), of each client its user and what is known of it, as `<length of user>:<user><info>`
-- (`who:`), and how many clients each user has (`users:`). Redis' own clock is the only one.
local base = KEYS[1]
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local function int(n) return string.format('%d', n) end

local rooms, touched = {}, {}
local function room(name)
  local found = rooms[name]
  if found then return found end
  found = { due = base .. 'due:' .. name, who = base .. 'who:' .. name, users = base .. 'users:' .. name }
  rooms[name] = found
  touched[#touched + 1] = found
  return found
end

local function user_of(entry)
  local length, from = string.match(entry, '^(%d+):()')
  return string.sub(entry, from, from + length - 1)
end

local function count(at, user, by)
  if redis.call('HINCRBY', at.users, user, by) <= 0 then redis.call('HDEL', at.users, user) end
end

local function is_in(at, client)
  local due = redis.call('ZSCORE', at.due, client)
  return due and tonumber(due) > now
end

local function drop(at, client)
  local entry = redis.call('HGET', at.who, client)
  if entry then
    redis.call('HDEL', at.who, client)
    count(at, user_of(entry), -1)
  end
  redis.call('ZREM', at.due, client)
end

-- Drops entries of servers that died. Says whether there may be more.
local function sweep(at, most)
  local dead = redis.call('ZRANGE', at.due, '-inf', int(now), 'BYSCORE', 'LIMIT', 0, most)
  for _, client in ipairs(dead) do drop(at, client) end
  return #dead == most
end

-- The keys live as long as their last entry, however long the servers that keep others let theirs live.
local function keep(at, deadline)
  if redis.call('PEXPIRETIME', at.due) >= deadline then return end
  for _, key in pairs(at) do redis.call('PEXPIREAT', key, int(deadline)) end
end
