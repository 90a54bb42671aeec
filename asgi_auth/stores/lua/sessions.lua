-- List the live sessions under one tag.
--
-- The names of the rows are made here from the index: they share its hash tag, hence
-- its slot, and asking for them in a second trip would tear the picture.
--
-- KEYS: the index
-- ARGV: what the rows' names begin with, time or ''
-- Returns sid, row, sid, row, ...
local now = ARGV[2]
if now == '' then
    local time = redis.call('TIME')
    now = string.format('%.0f', tonumber(time[1]) * 1000000 + tonumber(time[2]))
end

local found = {}
for _, sid in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. now, '+inf')) do
    local row = redis.call('GET', ARGV[1] .. sid)
    if row then
        found[#found + 1] = sid
        found[#found + 1] = row
    end
end

return found
