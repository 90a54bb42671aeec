-- Open a session with counter 0. One that exists is left as it is, and is the answer
-- only to a caller who asks once more because its answer was lost.
--
-- A row is "seq created rotated idle expires client auth rest": whole numbers, of which
-- the times are microseconds, who refreshed last, and what never changes as opaque JSON.
--
-- Two indexes have the names of a subject's sessions: a beginning of 16 digits, a colon
-- and the sid. One is in the order of their ends, the other in that of the names. A row
-- that ended by itself leaves its name behind: each log-in takes some of those away. By
-- then the server must have dropped the row, since a caller's clock may be ahead.
--
-- KEYS: the session, the subject's index of ends, and of beginnings
-- ARGV: sid, idle ttl, ttl, time of log-in or '', rest, slack, time or '', 1 to repeat
-- Returns the row, or nothing if the sid is taken.
local row = redis.call('GET', KEYS[1])
if row then
    local same = string.sub(row, -#ARGV[5] - 1) == ' ' .. ARGV[5]
    return ARGV[8] == '1' and same and row
end

local now = tonumber(ARGV[7])
if not now then
    local time = redis.call('TIME')
    now = tonumber(time[1]) * 1000000 + tonumber(time[2])
end

local expires = now + tonumber(ARGV[3])
local idle = math.min(now + tonumber(ARGV[2]), expires)
local auth = tonumber(ARGV[4]) or now
local ttl = math.max(math.ceil((idle - now + tonumber(ARGV[6])) / 1000), 1)

-- Lua's own way from number to text keeps only 14 digits.
row = string.format('0 %.0f %.0f %.0f %.0f - %.0f %s', now, now, idle, expires, auth, ARGV[5])
redis.call('SET', KEYS[1], row, 'PX', ttl)

local rows = string.sub(KEYS[1], 1, -#ARGV[1] - 1)
local past = string.format('%.0f', now)
for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', past, 'LIMIT', 0, 10)) do
    if redis.call('EXISTS', rows .. string.sub(name, 18)) == 0 then
        redis.call('ZREM', KEYS[2], name)
        redis.call('ZREM', KEYS[3], name)
    end
end

local name = string.format('%016.0f:%s', now, ARGV[1])
redis.call('ZADD', KEYS[2], string.format('%.0f', idle), name)
redis.call('ZADD', KEYS[3], 0, name)
for index = 2, 3 do
    if redis.call('PTTL', KEYS[index]) < ttl then
        redis.call('PEXPIRE', KEYS[index], ttl)
    end
end

return row
