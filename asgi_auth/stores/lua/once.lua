-- Use up a key, for as long as that counts.
--
-- The row is the time until which it counts, and a mark of who used it: who asks again
-- because the answer was lost gets the same answer.
--
-- KEYS: the key
-- ARGV: ttl, slack, mark, time or ''
-- Returns 1 if it was there to be used, or 0.
local now = tonumber(ARGV[4])
if not now then
    local time = redis.call('TIME')
    now = tonumber(time[1]) * 1000000 + tonumber(time[2])
end

local row = redis.call('GET', KEYS[1])
if row then
    local expires, mark = string.match(row, '^(%d+) (.+)$')
    if now < tonumber(expires) then
        return mark == ARGV[3] and 1 or 0
    end
end

local ttl = tonumber(ARGV[1])
if ttl > 0 then
    local rest = math.ceil((ttl + tonumber(ARGV[2])) / 1000)
    redis.call('SET', KEYS[1], string.format('%.0f %s', now + ttl, ARGV[3]), 'PX', rest)
end

return 1
