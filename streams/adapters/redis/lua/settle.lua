-- Write contacts of a build that go on from how they stood in the state that serves, which stands still meanwhile.
-- Everything is checked before the first write.
--
-- KEYS 1  meta (hash, see take.lua)   2  build (hash, see build.lua)
--      3  prefix of the build's contacts   4  prefix of the build's members; see commit.lua
-- ARGV 1  fence generation   2  fence member: ours   3  state generation   4  offset   5  steps: where the caller
--         believes the serving state to be   6  generation of the build   7  its offset   8  its steps
--      9  how often contacts of it were settled: in a Redis that was set back it would be less often
--     10  parts (msgpack list): 1 contact keys   2 length of each contact's state
--                               3 members: {segment, {instant, contact id, instant, contact id, ...}}, ...
--     11  bytes: the states of those lengths one after another
--
-- Returns {'settled'}, or {'elsewhere', ...}; guard.lua stands before it, and chunks.lua.
local built = redis.call('HMGET', KEYS[2], 'generation', 'offset', 'steps', 'settled')
if built[1] ~= ARGV[6] or built[2] ~= ARGV[7] or built[3] ~= ARGV[8] or built[4] ~= ARGV[9] then
    return {'elsewhere', '', '', ''}
end

local parts = cmsgpack.unpack(ARGV[10])
local set, place = {}, 1
for number, key in ipairs(parts[1]) do
    set[#set + 1] = KEYS[3] .. key
    set[#set + 1] = string.sub(ARGV[11], place, place + parts[2][number] - 1)
    place = place + parts[2][number]
end
in_chunks('MSET', nil, set)
for _, members in ipairs(parts[3]) do
    in_chunks('ZADD', KEYS[4] .. members[1], members[2])
end
redis.call('HINCRBY', KEYS[2], 'settled', 1)
return {'settled'}
