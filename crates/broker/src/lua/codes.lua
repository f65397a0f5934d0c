-- What a finished job takes, roughly, stands in its place in the set of its state, so that forgetting it needs no look at it:
-- after the milliseconds, in 4096ths of one, a code of 12 bits, of which the first two say that it has a log and a body
-- of its own, and the others how many 64 bytes it takes, with six bits of precision. `kept.rs` does the same.
local function decode(code)
  local exponent, part = math.floor(code % 1024 / 64), code % 64
  return (exponent == 0 and part or (64 + part) * 2 ^ (exponent - 1)) * 64
end
local function code_of(score)
  local code = math.floor(score % 1 * 4096 + 0.5)
  -- Of one that says nothing it is not known what belongs to it.
  return code == 0 and 3072 or code
end
-- The code of so many bytes, and of what else belongs to a job.
local function code_for(bytes, has_log, has_body)
  local part, exponent = math.ceil(bytes / 64), 0
  if part >= 64 then exponent = 1 end
  while part >= 128 do part, exponent = math.ceil(part / 2), exponent + 1 end
  if exponent > 0 then part = part - 64 end
  if exponent > 15 then part, exponent = 63, 15 end
  return (has_log and 2048 or 0) + (has_body and 1024 or 0) + exponent * 64 + part
end
local function fraction(code) return sub(string.format('%.4f', code / 4096), 2) end
