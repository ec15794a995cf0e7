-- Take the fence of a partition, and read what is known of it. Checks all before the first write.
--
-- KEYS 1  meta (hash): fence_generation, fence_member: Kafka's word on the owner
--                      format: number of the state's format
--                      generation: the keys that hold the state now, gGENERATION
--                      cluster_id, topic_id, partitions: the log that the state is folded from
--                      offset, steps: the cursor
--                      index: transitions already caused by the record at `offset`
--                      clock: in ms; seq: of the last transition; epoch: of the output
--                      definitions, definitions_number: canonical text, absent before the log's first record
--                      versions: JSON, all definitions that came to hold, with their offsets
--                      taken, sendings: JSON, of what contacts of partitions send to one another: how much of each
--                      partition's came here, and what is on its way from here
--                      former_generation, former_definitions: of the state before the last change of definitions, as
--                      long as something is left of it
-- ARGV 1  fence generation   2  fence member   3  format
--      4  cluster id         5  topic id       6  partitions   ('' or '0': not known)
--
-- Returns {'taken', field, value, ...} with all of meta,
--         {'fence', generation, member}: the partition belongs to this other owner,
--         {'format', number}: the state is of this newer format,
--         {'log', cluster id, topic id, partitions}: the state was folded from this other log.
local meta = KEYS[1]
local stored = redis.call('HMGET', meta, 'fence_generation', 'fence_member', 'format', 'offset', 'steps',
    'cluster_id', 'topic_id', 'partitions')
local new = not stored[3]

if not new then
    if tonumber(stored[3]) > tonumber(ARGV[3]) then
        return {'format', stored[3]}
    end
    local untouched = stored[4] == '0' and stored[5] == '0'
    for part = 1, 3 do
        local known, given = stored[part + 5], ARGV[part + 3]
        local unknown = known == '' or known == '0' or given == '' or given == '0'
        if not untouched and not unknown and known ~= given then
            return {'log', stored[6], stored[7], stored[8]}
        end
        if given == '' or given == '0' then
            stored[part + 5] = untouched and given or known
        else
            stored[part + 5] = given
        end
    end
    local generation = tonumber(stored[1])
    if generation > tonumber(ARGV[1]) or (generation == tonumber(ARGV[1]) and stored[2] ~= ARGV[2]) then
        return {'fence', stored[1], stored[2]}
    end
    redis.call('HSET', meta, 'fence_generation', ARGV[1], 'fence_member', ARGV[2],
        'cluster_id', stored[6], 'topic_id', stored[7], 'partitions', stored[8])
else
    redis.call('HSET', meta, 'fence_generation', ARGV[1], 'fence_member', ARGV[2], 'format', ARGV[3],
        'generation', '1', 'cluster_id', ARGV[4], 'topic_id', ARGV[5], 'partitions', ARGV[6],
        'offset', '0', 'steps', '0', 'index', '0', 'clock', '0', 'seq', '0', 'epoch', '1',
        'definitions_number', '0')
end

local answer = redis.call('HGETALL', meta)
table.insert(answer, 1, 'taken')
return answer
