-- Puts a delivery into the dead-letter list unless the list is full; one that is in it already is replaced.
-- KEYS: the list (hash by transition id). ARGV: transition id, dead letter, most entries.
-- Returns the number of entries afterwards, or -1 if the list is full and nothing was written.
local length = redis.call('HLEN', KEYS[1])
if length >= tonumber(ARGV[3]) and redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then
  return -1
end
return length + redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
