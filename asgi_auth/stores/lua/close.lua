-- End sessions that share a tag; what is not there is passed over.
--
-- KEYS: the subject's index of ends, and of beginnings, the sessions
-- ARGV: their sids
for i, sid in ipairs(ARGV) do
    local row = redis.call('GET', KEYS[i + 2])
    if row then
        local created = string.match(row, '^%d+ (%d+) ')
        local name = string.format('%016.0f:%s', tonumber(created), sid)
        redis.call('DEL', KEYS[i + 2])
        redis.call('ZREM', KEYS[1], name)
        redis.call('ZREM', KEYS[2], name)
    end
end

return #ARGV
