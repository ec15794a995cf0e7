-- Read contacts of a generation that stands still, whichever it is.
--
-- KEYS 1  prefix of the contacts' keys, see reading.lua
-- ARGV 1  keys of contacts to read (msgpack list of strings)
--
-- Returns {lengths, states}: see reading.lua
return {read_states(KEYS[1], cmsgpack.unpack(ARGV[1]))}
