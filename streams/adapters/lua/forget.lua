-- Forget that another state served before: nothing is left of it.
--
-- KEYS 1  meta (hash, see take.lua)
-- ARGV 1  generation that serves
if redis.call('HGET', KEYS[1], 'generation') ~= ARGV[1] then
    return 0
end
return redis.call('HDEL', KEYS[1], 'former_generation', 'former_definitions')
