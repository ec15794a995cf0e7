-- Try every command that the other scripts and the store use, on keys of a generation that no state has: whoever lacks
-- a right is told at the start. In the middle of a commit it would be found after the first writes.
--
-- KEYS 1 hash   2 sorted set   3 stream   4 string   5 list: of generation 0, deleted again   6 build: only looked at
redis.call('UNLINK', KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5])
redis.call('HSET', KEYS[1], 'field', '1')
redis.call('HINCRBY', KEYS[1], 'field', 1)
redis.call('HMGET', KEYS[1], 'field')
redis.call('HGETALL', KEYS[1])
redis.call('HDEL', KEYS[1], 'field')
redis.call('ZADD', KEYS[2], 1, 'member')
redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')
redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', 1)
redis.call('ZREM', KEYS[2], 'member')
redis.call('XADD', KEYS[3], '1-0', 'field', '1')
redis.call('XRANGE', KEYS[3], '-', '+', 'COUNT', 1)
redis.call('XTRIM', KEYS[3], 'MINID', '=', '2-0')
redis.call('MSET', KEYS[4], '1')
redis.call('MGET', KEYS[4])
redis.call('HGET', KEYS[1], 'field')
redis.call('EXISTS', KEYS[4])
redis.call('EXISTS', KEYS[6])
redis.call('RPUSH', KEYS[5], '1')
redis.call('LRANGE', KEYS[5], 0, 0)
redis.call('RENAME', KEYS[5], KEYS[4])
redis.call('DEL', KEYS[4])
redis.call('UNLINK', KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5])
return 1
