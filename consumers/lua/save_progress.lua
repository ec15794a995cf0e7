-- Moves a partition's progress forward, never back, so that an older owner changes nothing.
-- KEYS: progress (hash: epoch, seq, offset), offsets settled beyond it (sorted set).
-- ARGV: epoch, seq, offset, then offsets settled beyond it. Returns what is stored afterwards.
local stored = redis.call('HMGET', KEYS[1], 'epoch', 'seq', 'offset')
local epoch, seq, offset = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local further = true
if stored[1] then
  local e, s, o = tonumber(stored[1]), tonumber(stored[2]), tonumber(stored[3])
  further = epoch > e or (epoch == e and (seq > s or (seq == s and offset > o)))
end
if further then
  redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'seq', ARGV[2], 'offset', ARGV[3])
  stored = {ARGV[1], ARGV[2], ARGV[3]}
end
for index = 4, #ARGV do
  redis.call('ZADD', KEYS[2], ARGV[index], ARGV[index])
end
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', '(' .. stored[3])
return stored
