-- Read contacts and due timers of a partition as of one cursor: one script, so that no other write lies between.
--
-- KEYS 1  meta (hash, see take.lua)
--      2  timers (sorted set: contact key by next due instant in ms)
--      3  prefix of the contacts' keys, see reading.lua
-- ARGV 1  state generation   2  offset   3  steps: where the caller believes the state to be
--      4  latest due instant to list, '' for none   5  most timers to list
--      6  keys of contacts to read (msgpack list of strings)
--
-- Returns {'loaded', earliest due of the partition or '', lengths, states, timers}:
--           lengths, states: of the contacts asked for, then of those of the listed timers; see reading.lua
--           timers: msgpack list of contact key, due, contact key, due, ... in order of (due, key)
--         {'elsewhere', generation, offset, steps}: the state is not where the caller believes it to be.
local at = redis.call('HMGET', KEYS[1], 'generation', 'offset', 'steps')
if at[1] ~= ARGV[1] or at[2] ~= ARGV[2] or at[3] ~= ARGV[3] then
    return {'elsewhere', at[1] or '', at[2] or '', at[3] or ''}
end

local keys = cmsgpack.unpack(ARGV[6])
local timers = {}
if ARGV[4] ~= '' then
    timers = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', ARGV[4], 'WITHSCORES', 'LIMIT', 0, ARGV[5])
    for place = 1, #timers, 2 do
        keys[#keys + 1] = timers[place]
    end
end

local lengths, states = read_states(KEYS[3], keys)
local first = redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')
return {'loaded', first[2] or '', lengths, states, cmsgpack.pack(timers)}
