-- Add revocations to the stream, all of them or none.
--
-- An entry is JSON without its brackets: at, expires, and what is opaque here. Entries
-- get their ids from the server's clock, and are trimmed by it, even if the caller
-- brings a time of its own. Those that outlive the retention of the stream are kept a
-- second time, until a day after they expire: a clock that jumps may jump back.
--
-- KEYS: the stream, the kept ones
-- ARGV: ttl, retention, slack, time or '', entries as opaque JSON
local time = redis.call('TIME')
local real = tonumber(time[1]) * 1000000 + tonumber(time[2])
local now = tonumber(ARGV[4]) or real
local ttl = tonumber(ARGV[1])
local retention = tonumber(ARGV[2])
local slack = tonumber(ARGV[3])
local expires = string.format('%.0f', now + ttl)
local stamp = string.format('%.0f,%s,', now, expires)

for i = 5, #ARGV do
    redis.call('XADD', KEYS[1], '*', 'e', stamp .. ARGV[i])
end

local oldest = math.max(math.floor((real - retention) / 1000), 0)
redis.call('XTRIM', KEYS[1], 'MINID', '~', string.format('%.0f', oldest))
redis.call('PEXPIRE', KEYS[1], math.ceil((retention + slack) / 1000))

if ttl > retention then
    redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', string.format('%.0f', math.min(now, real) - 86400000000))
    for i = 5, #ARGV do
        redis.call('ZADD', KEYS[2], expires, stamp .. ARGV[i])
    end

    local rest = math.ceil((ttl + slack) / 1000)
    if redis.call('PTTL', KEYS[2]) < rest then
        redis.call('PEXPIRE', KEYS[2], rest)
    end
end

return #ARGV - 4
