-- Advance the counter of a session beyond that of its token, or report why not.
--
-- KEYS: the session, the subject's index of ends, and of beginnings
-- ARGV: sid, seq, idle ttl, grace, slack, time or '', client or '-'
-- Returns the outcome, and the row as it is now.
local row = redis.call('GET', KEYS[1])
if not row then
    return {'refused'}
end

local now = tonumber(ARGV[6])
if not now then
    local time = redis.call('TIME')
    now = tonumber(time[1]) * 1000000 + tonumber(time[2])
end

local current, created, rotated, idle, expires, client, rest =
    string.match(row, '^(%d+) (%d+) (%d+) (%d+) (%d+) (%S+) (.*)$')
current = tonumber(current)
expires = tonumber(expires)
if now >= tonumber(idle) or now >= expires then
    return {'refused', row}
end

-- The greatest number below which Lua's are exact: GREATEST_SEQ.
local seq = tonumber(ARGV[2])
if seq < 0 or seq > 9007199254740990 then
    return {'refused', row}
end

-- A clock that was set back by more than grace makes no retry of a replay.
local is_last = seq == current - 1 and math.abs(now - tonumber(rotated)) <= tonumber(ARGV[4])
local is_other = client ~= '-' and ARGV[7] ~= '-' and client ~= ARGV[7]
if is_last and not is_other then
    return {'retried', row}
end

if seq < current then
    return {'reused', row}
end

idle = math.min(now + tonumber(ARGV[3]), expires)
local ttl = math.max(math.ceil((idle - now + tonumber(ARGV[5])) / 1000), 1)
row = string.format('%.0f %s %.0f %.0f %.0f %s %s', seq + 1, created, now, idle, expires, ARGV[7], rest)
redis.call('SET', KEYS[1], row, 'PX', ttl)

local name = string.format('%016.0f:%s', tonumber(created), ARGV[1])
redis.call('ZADD', KEYS[2], string.format('%.0f', idle), name)
redis.call('ZADD', KEYS[3], 0, name)
for index = 2, 3 do
    if redis.call('PTTL', KEYS[index]) < ttl then
        redis.call('PEXPIRE', KEYS[index], ttl)
    end
end

-- A token of ours that is ahead: the server was put back to an earlier state.
return {seq > current and 'restored' or 'rotated', row}
