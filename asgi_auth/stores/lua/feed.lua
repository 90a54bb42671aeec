-- Read a page of revocations.
--
-- A cursor is the id of the last entry that was read, or '0-0' for an empty stream.
-- If that entry is gone, because the stream was trimmed or the server came back with
-- other data, nobody knows what was missed: the whole window is read again.
--
-- KEYS: the stream, the kept ones
-- ARGV: cursor or '', length of a page, time or ''
-- Returns the time, the next cursor, whether there is more, and the entries.
local now = ARGV[3]
if now == '' then
    local time = redis.call('TIME')
    now = string.format('%.0f', tonumber(time[1]) * 1000000 + tonumber(time[2]))
end

local cursor = ARGV[1]
local length = tonumber(ARGV[2])
local entries = {}
local page = {}
local first = 1
local whole = cursor == ''

if not whole and cursor ~= '0-0' then
    page = redis.call('XRANGE', KEYS[1], cursor, '+', 'COUNT', length + 1)
    whole = not page[1] or page[1][1] ~= cursor
    first = 2
end

if whole or cursor == '0-0' then
    page = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', length)
    first = 1
    cursor = '0-0'
end

if whole then
    entries = redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. now, '+inf')
end

for i = first, #page do
    cursor = page[i][1]
    entries[#entries + 1] = page[i][2][2]
end

local more = #page - first + 1 == length and 1 or 0
return {now, cursor, more, entries}
