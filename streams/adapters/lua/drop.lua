-- Delete keys of generations that do not serve, as long as the one that is believed to serve does: a Redis that was
-- emptied meanwhile begins at the first generation again.
--
-- KEYS 1  meta (hash, see take.lua)   from 2 on: keys of other generations
-- ARGV 1  generation that serves
--
-- Returns how many keys were deleted, or -1 where another generation serves, and nothing was.
if redis.call('HMGET', KEYS[1], 'generation')[1] ~= ARGV[1] then
    return -1
end
return redis.call('UNLINK', unpack(KEYS, 2))
