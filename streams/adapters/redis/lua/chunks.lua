-- Stands before scripts that write much: calls a command with a list of arguments, as many at once as Lua can pass.
local CHUNK = 2000 -- arguments of one call; Lua's stack bounds them
local function in_chunks(command, key, arguments)
    for start = 1, #arguments, CHUNK do
        local last = math.min(start + CHUNK - 1, #arguments)
        if key then
            redis.call(command, key, unpack(arguments, start, last))
        else
            redis.call(command, unpack(arguments, start, last))
        end
    end
end
