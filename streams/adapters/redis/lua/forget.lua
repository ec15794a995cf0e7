-- Forget that another state served before: nothing is left of it. Not while what it differs in is still told.
--
-- KEYS 1  meta (hash, see take.lua)
-- ARGV 1  generation that serves
local at = redis.call('HMGET', KEYS[1], 'generation', 'former_generation', 'versions', 'offset')
if at[1] ~= ARGV[1] or not at[2] then
    return 0
end
local versions = cjson.decode(at[3])
if versions[#versions].offset >= tonumber(at[4]) then
    return 0
end
return redis.call('HDEL', KEYS[1], 'former_generation', 'former_definitions')
