-- Turn a partition to a state that was copied beside the serving one, under the keys of a generation of its own.
-- Everything is checked before the first write; the owner of the partition keeps its fence, and finds the cursor
-- elsewhere at its next call.
--
-- KEYS 1  meta (hash, see take.lua)   2  build (hash, see build.lua), which is given up
--      from 3 on: marks of the copies: they are whole, and nobody has begun to remove them
-- ARGV 1  generation that served when the copy began, '' for none   2  generation of the copy   3  format
--      4  '1': even if the serving state is further
--      5  cluster id   6  topic id   7  partitions   8  offset   9  steps   10  epoch: those of the copy
--      11 newest format that the caller knows
--      12 further fields and values of meta to set, from here on
--
-- Returns {'restored'}, {'gone'}: the copy is not whole any more, {'turned', generation}: another state began to
--         serve meanwhile, {'format', number}, {'log', cluster id, topic id}, {'epoch', number}: of a state that must
--         not be set back, or {'further', offset, steps}.
local meta = KEYS[1]
for place = 3, #KEYS do
    if redis.call('EXISTS', KEYS[place]) == 0 then
        return {'gone'}
    end
end
local stored = redis.call('HMGET', meta, 'generation', 'format', 'cluster_id', 'topic_id', 'partitions', 'offset',
    'steps', 'epoch', 'fence_generation')
if (stored[1] or '') ~= ARGV[1] then
    return {'turned', stored[1] or ''}
end
if stored[1] then
    if tonumber(stored[2]) > tonumber(ARGV[11]) then
        return {'format', stored[2]}
    end
    local offset, steps = tonumber(stored[6]), tonumber(stored[7])
    for part = 5, 7 do
        local known, given = stored[part - 2], ARGV[part]
        local unknown = known == '' or known == '0' or given == '' or given == '0'
        if not (offset == 0 and steps == 0) and not unknown and known ~= given then
            return {'log', stored[3], stored[4]}
        end
    end
    if tonumber(stored[8]) > tonumber(ARGV[10]) then
        return {'epoch', stored[8]}
    end
    local to_offset, to_steps = tonumber(ARGV[8]), tonumber(ARGV[9])
    if ARGV[4] ~= '1' and (offset > to_offset or (offset == to_offset and steps > to_steps)) then
        return {'further', stored[6], stored[7]}
    end
end
redis.call('UNLINK', unpack(KEYS, 2))
redis.call('HDEL', meta, 'definitions', 'versions', 'former_generation', 'former_definitions')
redis.call('HSET', meta, 'generation', ARGV[2], 'format', ARGV[3], 'cluster_id', ARGV[5], 'topic_id', ARGV[6],
    'partitions', ARGV[7], 'offset', ARGV[8], 'steps', ARGV[9], 'epoch', ARGV[10], unpack(ARGV, 12))
if not stored[9] then
    redis.call('HSET', meta, 'fence_generation', '0', 'fence_member', '')
end
return {'restored'}
