-- Delete keys of a build that was given up, as long as nobody has begun to build since: in a Redis that was emptied or set
-- back meanwhile its generation may be another's.
--
-- KEYS 1  build (hash, see build.lua)   from 2 on: keys of the generation that was given up
-- ARGV 1  name of the builder who gave it up
--
-- Returns how many keys were deleted, or -1 where nothing may be.
if redis.call('HGET', KEYS[1], 'fence_member') ~= ARGV[1] then
    return -1
end
return redis.call('UNLINK', unpack(KEYS, 2))
