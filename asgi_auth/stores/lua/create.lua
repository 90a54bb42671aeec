-- Open a session with counter 0. One that exists is left as it is, and is the answer
-- only to a caller who asks once more because its answer was lost.
--
-- A row is "seq created rotated idle expires client auth rest": whole numbers, of which
-- the times are microseconds, who refreshed last, and what never changes as opaque JSON.
--
-- KEYS: the session, the subject's index
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

redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', string.format('%.0f', now))
redis.call('ZADD', KEYS[2], string.format('%.0f', idle), ARGV[1])
if redis.call('PTTL', KEYS[2]) < ttl then
    redis.call('PEXPIRE', KEYS[2], ttl)
end

return row
