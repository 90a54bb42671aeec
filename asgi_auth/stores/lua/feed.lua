-- Read a page of revocations.
--
-- A cursor is the id of the last entry of the stream that was read, or '0-0' for its
-- beginning. If that entry is gone, because the stream was trimmed, or the server came
-- back with other data, or a replica that lags was promoted, no one knows what was
-- missed: the whole window is read again. A window begins with the kept ones, by their
-- rank from the longest life down, which what is added or expires meanwhile can only
-- raise; its cursor is '@' and the rank. Then comes the stream, which has the rest.
--
-- KEYS: the stream, the kept ones
-- ARGV: cursor or '', length of a page, time or ''
-- Returns the time, the next cursor, whether there is more, whether the window begins
-- although there was a cursor, and the entries as one flat JSON array. Those that have
-- expired are among them: looking at each here would stop the server for twice as long.
local now = ARGV[3]
if now == '' then
    local time = redis.call('TIME')
    now = string.format('%.0f', tonumber(time[1]) * 1000000 + tonumber(time[2]))
end

local cursor = ARGV[1]
local length = tonumber(ARGV[2])
local restarted = 0
local entries = {}
local page = {}
local first = 1
local count = 0

if cursor ~= '' and cursor ~= '0-0' and string.sub(cursor, 1, 1) ~= '@' then
    page = redis.call('XRANGE', KEYS[1], cursor, '+', 'COUNT', length + 1)
    count = #page - 1
    first = 2
    if not page[1] or page[1][1] ~= cursor then
        restarted = 1
        cursor = ''
    end
end

if first == 1 or restarted == 1 then
    local rank = cursor == '' and 0 or tonumber(string.match(cursor, '^@(%d+)$'))
    local kept = {}
    if rank then
        kept = redis.call('ZREVRANGE', KEYS[2], rank, rank + length - 1)
    end

    entries = kept
    count = #kept
    cursor = '0-0'
    page = {}
    first = 1
    if count == length then
        cursor = string.format('@%.0f', rank + length)
    else
        page = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', length - count)
        count = count + #page
    end
end

if page[first] then
    cursor = page[#page][1]
end

local offset = #entries - first + 1
for i = first, #page do
    entries[offset + i] = page[i][2][2]
end

local more = count == length and 1 or 0
return {now, cursor, more, restarted, '[' .. table.concat(entries, ',') .. ']'}
