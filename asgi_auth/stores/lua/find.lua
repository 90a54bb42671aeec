-- Read one live session.
--
-- KEYS: the session
-- ARGV: time or ''
-- Returns the row, or nothing.
local row = redis.call('GET', KEYS[1])
if not row then
    return false
end

local now = tonumber(ARGV[1])
if not now then
    local time = redis.call('TIME')
    now = tonumber(time[1]) * 1000000 + tonumber(time[2])
end

local idle, expires = string.match(row, '^%d+ %d+ %d+ (%d+) (%d+) ')
return now < tonumber(idle) and now < tonumber(expires) and row
