-- Delete keys of generations that do not serve, as long as the one that is believed to serve does: a Redis that was
-- emptied meanwhile begins at the first generation again. While a change of definitions is told nothing is deleted:
-- what is still to be told is the difference to the state before.
--
-- KEYS 1  meta (hash, see take.lua)   from 2 on: keys of other generations
-- ARGV 1  generation that serves
--
-- Returns how many keys were deleted, or -1 where nothing may be.
local at = redis.call('HMGET', KEYS[1], 'generation', 'former_generation', 'versions', 'offset')
if at[1] ~= ARGV[1] then
    return -1
end
if at[2] then
    local versions = cjson.decode(at[3])
    if versions[#versions].offset >= tonumber(at[4]) then
        return -1
    end
end
return redis.call('UNLINK', unpack(KEYS, 2))
