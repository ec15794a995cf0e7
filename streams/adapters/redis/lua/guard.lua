-- Stands before every script that an owner writes by: whether the partition is ours, and stands where we believe it to.
--
-- KEYS 1  meta (hash, see take.lua)
-- ARGV 1  fence generation   2  fence member: ours   3  state generation   4  offset   5  steps: where the caller
--         believes the serving state to be
--
-- Ends the script with {'fence', generation, member}: the partition belongs to this later owner, or with
-- {'elsewhere', generation, offset, steps}: the state is not where the caller believes it to be.
local at = redis.call('HMGET', KEYS[1], 'generation', 'offset', 'steps', 'fence_generation', 'fence_member')
local elsewhere = {'elsewhere', at[1] or '', at[2] or '', at[3] or ''}
if not at[1] then
    return elsewhere
end
if at[4] ~= ARGV[1] or at[5] ~= ARGV[2] then
    if tonumber(at[4]) < tonumber(ARGV[1]) then
        return {'elsewhere', '', '', ''} -- older than our own take: Redis was rolled back
    end
    return {'fence', at[4], at[5]}
end
if at[1] ~= ARGV[3] or at[2] ~= ARGV[4] or at[3] ~= ARGV[5] then
    return elsewhere
end
