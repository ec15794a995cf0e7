-- Stands before scripts that read contacts: many states as one string, KEY's from PREFIX..KEY, which lies in the same
-- slot by its hash tag.
--
-- Returns lengths: msgpack list, one number a key; -1: not stored
--         states: one string, states of those lengths one after another
local CHUNK = 1000 -- arguments of one call; Lua's stack bounds them
local function read_states(prefix, keys)
    local names, lengths, states = {}, {}, {}
    for place, key in ipairs(keys) do
        names[place] = prefix .. key
    end
    for start = 1, #names, CHUNK do
        local found = redis.call('MGET', unpack(names, start, math.min(start + CHUNK - 1, #names)))
        for _, state in ipairs(found) do
            lengths[#lengths + 1] = state and #state or -1
            states[#states + 1] = state or ''
        end
    end
    return cmsgpack.pack(lengths), table.concat(states)
end
