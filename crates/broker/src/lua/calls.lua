-- What `unfold.lua` needs in a script that does not begin with `prelude.lua`.
local base, call, raws = KEYS[1], redis.call, {}
local function int(n) return string.format('%d', n) end
local function in_pieces(command, key, list)
  for i = 1, #list, 256 do call(command, key, unpack(list, i, math.min(i + 255, #list))) end
end
