-- Turn a partition to an empty state under the next generation's keys: its log is folded again from offset 0.
-- The keys of the generation before are deleted afterwards, outside of this script: there may be millions.
--
-- KEYS 1  meta (hash, see take.lua)   2  build (hash, see build.lua), which is given up
-- ARGV 1  fence generation, or '' for an operator, who needs no fence   2  fence member
--      3  epoch of the output, or '' for the one after the stored one   4  format
--
-- Returns {'done', generation, epoch}, {'fence', generation, member}, or {'absent'} where nothing is stored.
local meta = KEYS[1]
local stored = redis.call('HMGET', meta, 'fence_generation', 'fence_member', 'generation', 'epoch')
if not stored[3] then
    return {'absent'}
end
if ARGV[1] ~= '' and (stored[1] ~= ARGV[1] or stored[2] ~= ARGV[2]) then
    return {'fence', stored[1], stored[2]}
end
local built = redis.call('HGET', KEYS[2], 'generation')
local generation = string.format('%.0f', math.max(tonumber(stored[3]), tonumber(built or '0')) + 1)
local epoch = ARGV[3]
if epoch == '' then
    epoch = string.format('%.0f', tonumber(stored[4]) + 1)
end
redis.call('HSET', meta, 'generation', generation, 'epoch', epoch, 'format', ARGV[4],
    'offset', '0', 'steps', '0', 'index', '0', 'clock', '0', 'seq', '0', 'definitions_number', '0')
redis.call('HDEL', meta, 'definitions', 'versions', 'former_generation', 'former_definitions', 'taken', 'sendings')
redis.call('DEL', KEYS[2])
return {'done', generation, epoch}
