-- Read contacts of a generation that stands still, whichever it is.
--
-- KEYS 1  prefix of the contacts' keys; contact KEY lies at PREFIX..KEY, in the same slot by its hash tag
-- ARGV 1  keys of contacts to read (msgpack list of strings)
--
-- Returns {lengths, states}: a msgpack list with one number a contact, -1 where it is not stored; one string, states of
--         those lengths one after another.
local CHUNK = 1000 -- arguments of one call; Lua's stack bounds them
local names = cmsgpack.unpack(ARGV[1])
for place, key in ipairs(names) do
    names[place] = KEYS[1] .. key
end
local lengths, states = {}, {}
for start = 1, #names, CHUNK do
    local found = redis.call('MGET', unpack(names, start, math.min(start + CHUNK - 1, #names)))
    for _, state in ipairs(found) do
        lengths[#lengths + 1] = state and #state or -1
        states[#states + 1] = state or ''
    end
end
return {cmsgpack.pack(lengths), table.concat(states)}
