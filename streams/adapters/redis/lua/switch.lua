-- Let a build serve in place of the state that did, at the same record of the log. What is on its way to Kafka goes
-- along. Everything is checked before the first write.
--
-- KEYS 1  meta (hash, see take.lua)   2  build (hash, see build.lua)   3  outbox that serves   4  outbox of the build
--      5  keys of the build's contacts (list, see commit.lua)
-- ARGV 1  fence generation   2  fence member: ours   3  state generation   4  offset   5  steps: where the caller
--         believes the serving state to be   6  generation of the build   7  its offset   8  its steps
--      9  how often contacts of it were settled
--     10  'serving': what served is the state before from now on; '': the one that was it stays it, if there was any
--     11  further fields and values of meta to set, from here on
--
-- Returns {'switched', field, value, ...} with all of meta, or {'elsewhere', ...}; guard.lua stands before it.
local built = redis.call('HMGET', KEYS[2], 'generation', 'offset', 'steps', 'settled')
if built[1] ~= ARGV[6] or built[2] ~= ARGV[7] or built[3] ~= ARGV[8] or built[4] ~= ARGV[9] then
    return {'elsewhere', '', '', ''}
end

if redis.call('EXISTS', KEYS[3]) == 1 then
    redis.call('RENAME', KEYS[3], KEYS[4])
end
if ARGV[10] == 'serving' then
    local definitions = redis.call('HGET', KEYS[1], 'definitions')
    redis.call('HSET', KEYS[1], 'former_generation', at[1], 'former_definitions', definitions)
end
redis.call('HSET', KEYS[1], 'generation', built[1], unpack(ARGV, 11))
redis.call('UNLINK', KEYS[2], KEYS[5])
local answer = redis.call('HGETALL', KEYS[1])
table.insert(answer, 1, 'switched')
return answer
