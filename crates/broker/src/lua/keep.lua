-- How long and how many finished jobs are kept, and how many bytes of them: arguments of every script that ends jobs.
local keep_completed_ms, keep_failed_ms, keep_jobs, keep_bytes = number(), number(), number(), number()

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

-- Takes what belongs to finished jobs away, of which the ids and scores are given in turn. Says how many bytes that were.
local function unlink(popped)
  local keys, bytes = {}, 0
  for i = 1, #popped, 2 do
    local id, code = popped[i], code_of(popped[i + 1])
    keys[#keys + 1] = base .. 'job:' .. id
    if code >= 1024 then
      if code >= 2048 then keys[#keys + 1] = base .. 'log:' .. id end
      if code % 2048 >= 1024 then keys[#keys + 1] = base .. 'body:' .. id end
    end
    bytes = bytes + decode(code)
  end
  for i = 1, #keys, 256 do call('UNLINK', unpack(keys, i, math.min(i + 255, #keys))) end
  return bytes
end
