-- Go on with the build of a partition's next state, or begin one. Checks all before the first write.
--
-- KEYS 1  meta of the state that serves (hash, see take.lua)
--      2  build (hash): generation: the keys that hold what is built
--                       definitions_hash, format: what it is built for; `Definitions.identity`
--                       owner: fence generation of the partition's owner where that one builds, else ''
--                       fence_generation, fence_member: the builder; counted up by every one that begins or goes on
--                       settled: how often contacts were settled since then, see settle.lua
--                       offset, steps, index, clock, seq, taken: as in meta
-- ARGV 1  identity   2  format   3  builder's name, used by nobody else
--      4  fence generation   5  fence member: of the partition's owner, '' where somebody else asks
--      6  '1': begin anew, whatever there is
--
-- Returns {'building', generation, fence generation, offset, steps, clock, '1' where another build was given up or '',
--          generation that serves, taken},
--         {'busy'}: the owner builds, and the partition is still its own,
--         {'fence', generation, member}: the partition belongs to this other owner, or {'absent'}: no state serves yet.
local serves = redis.call('HMGET', KEYS[1], 'generation', 'fence_generation', 'fence_member')
local serving, owner = serves[1], ARGV[4]
if not serving then
    return {'absent'}
end
if owner ~= '' and (serves[2] ~= ARGV[4] or serves[3] ~= ARGV[5]) then
    return {'fence', serves[2], serves[3]}
end
local found = redis.call('HMGET', KEYS[2], 'generation', 'definitions_hash', 'format', 'owner', 'fence_generation')
local current = found[1] and tonumber(found[1]) > tonumber(serving)
if current and found[4] == serves[2] and owner == '' then
    return {'busy'}
end
local fence = string.format('%.0f', tonumber(found[5] or '0') + 1)
local given_up = ''
if not (current and found[2] == ARGV[1] and found[3] == ARGV[2] and ARGV[6] ~= '1') then
    local last = tonumber(serving)
    if current then
        last = tonumber(found[1])
        given_up = '1'
    end
    redis.call('DEL', KEYS[2])
    redis.call('HSET', KEYS[2], 'generation', string.format('%.0f', last + 1), 'definitions_hash', ARGV[1],
        'format', ARGV[2], 'offset', '0', 'steps', '0', 'index', '0', 'clock', '0', 'seq', '0')
end
redis.call('HSET', KEYS[2], 'owner', owner, 'fence_generation', fence, 'fence_member', ARGV[3], 'settled', '0')
local built = redis.call('HMGET', KEYS[2], 'generation', 'offset', 'steps', 'clock', 'taken')
return {'building', built[1], fence, built[2], built[3], built[4], given_up, serving, built[5] or '[]'}
