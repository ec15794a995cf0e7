-- Move a partition on: contacts, timers, output, segment sizes, members and cursor together, or nothing.
-- Everything is checked before the first write, and the outbox, whose ids Redis checks itself, is written first.
--
-- KEYS 1  meta (hash, see take.lua)
--      2  timers (sorted set: contact key by next due instant in ms)
--      3  outbox (stream: one entry a transition, its id SEQ-0)
--      4  sizes (hash: members by segment)
--      5  prefix of the contacts' keys      6  prefix of the members' keys
--      7  of a build: list of its contacts' keys, each element the 16 bytes of one or of many
--         contact KEY lies at PREFIX..KEY, members of SEGMENT (sorted set: contact id by the instant of entry) at
--         PREFIX..SEGMENT; all in the same slot by their hash tag. No key has a prefix's name, so a cluster that moves
--         the slot refuses the whole script, which would else meet keys that are elsewhere after its first writes
-- ARGV 1  fence generation   2  fence member: ours
--      3  state generation   4  offset   5  steps: where the caller believes the state to be
--      6  parts (msgpack list):
--           1 contact keys    2 length of each contact's state, -1 deletes it
--           3 timers to set: due, contact key, due, contact key, ...    4 contact keys of timers to remove
--           5 outbox: {id, offset, index, epoch, transition id, contact id, length of the value}, ...
--           6 sizes: {segment, difference}, ...
--           7 members: {segment, {instant, contact id, instant, contact id, ...} to add, {contact id, ...} to remove}
--           8 length of what to append to the list of a build's contacts
--      7  bytes: the states, the outbox values, what to append to the list, of those lengths one after another
--      8  fields and values of meta to set, from here on
--
-- Returns {'committed', earliest due of the partition or ''}; guard.lua stands before it, and chunks.lua.
local parts = cmsgpack.unpack(ARGV[6])
local keys, lengths, outbox = parts[1], parts[2], parts[5]
local bytes, place = ARGV[7], 1
local function take(length)
    local start = place
    place = place + length
    return string.sub(bytes, start, place - 1)
end

local set, deleted = {}, {}
for number, key in ipairs(keys) do
    if lengths[number] < 0 then
        deleted[#deleted + 1] = KEYS[5] .. key
    else
        set[#set + 1] = KEYS[5] .. key
        set[#set + 1] = take(lengths[number])
    end
end

for _, entry in ipairs(outbox) do
    redis.call('XADD', KEYS[3], entry[1], 'offset', entry[2], 'index', entry[3], 'epoch', entry[4],
        'transition_id', entry[5], 'contact_id', entry[6], 'value', take(entry[7]))
end
in_chunks('MSET', nil, set)
in_chunks('UNLINK', nil, deleted)
in_chunks('ZADD', KEYS[2], parts[3])
in_chunks('ZREM', KEYS[2], parts[4])
for _, size in ipairs(parts[6]) do
    redis.call('HINCRBY', KEYS[4], size[1], size[2])
end
for _, members in ipairs(parts[7]) do
    in_chunks('ZADD', KEYS[6] .. members[1], members[2])
    in_chunks('ZREM', KEYS[6] .. members[1], members[3])
end
if parts[8] > 0 then
    redis.call('RPUSH', KEYS[7], take(parts[8]))
end
redis.call('HSET', KEYS[1], unpack(ARGV, 8))

local first = redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')
return {'committed', first[2] or ''}
