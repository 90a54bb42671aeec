-- End sessions that share a tag; what is not there is passed over.
--
-- KEYS: the subject's index, the sessions
-- ARGV: their sids
for i, sid in ipairs(ARGV) do
    redis.call('DEL', KEYS[i + 1])
    redis.call('ZREM', KEYS[1], sid)
end

return #ARGV
