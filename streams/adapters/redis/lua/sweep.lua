-- Delete keys of generations that do not serve, on an operator's word, as long as the one that is believed to serve does.
-- What a change of definitions rests on stays: the state that is built, and the one before, which its worker removes.
--
-- KEYS 1  meta (hash, see take.lua)   2  build (hash, see build.lua)   from 3 on: keys of other generations
-- ARGV 1  generation that serves
--
-- Returns how many keys were deleted, or -1 where another generation serves, and nothing was.
local at = redis.call('HMGET', KEYS[1], 'generation', 'former_generation')
if at[1] ~= ARGV[1] then
    return -1
end
local built = redis.call('HGET', KEYS[2], 'generation')
if built and tonumber(built) < tonumber(at[1]) then
    built = false -- a leftover
end
local gone = {}
for place = 3, #KEYS do
    local generation = string.match(KEYS[place], '}:g(%d+):')
    if generation ~= built and generation ~= at[2] then
        gone[#gone + 1] = KEYS[place]
    end
end
if #gone == 0 then
    return 0
end
return redis.call('UNLINK', unpack(gone))
