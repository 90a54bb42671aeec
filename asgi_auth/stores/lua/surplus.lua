-- Name the live sessions of a subject beyond those that end last.
--
-- Mostly there are none, and two counts say so.
--
-- KEYS: the subject's index of ends, and of beginnings
-- ARGV: what the rows' names begin with, the owner as JSON, time or '', how many may
-- stay, how many to name at most
-- Returns sids, of which the first ends first.
local now = ARGV[3]
if now == '' then
    local time = redis.call('TIME')
    now = string.format('%.0f', tonumber(time[1]) * 1000000 + tonumber(time[2]))
end

local after = '(' .. now
local surplus = redis.call('ZCOUNT', KEYS[1], after, '+inf') - tonumber(ARGV[4])
if surplus <= 0 then
    return {}
end

surplus = math.min(surplus, tonumber(ARGV[5]))
local sids = {}
for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], after, '+inf', 'LIMIT', 0, surplus)) do
    local sid = string.sub(name, 18)
    local row = redis.call('GET', ARGV[1] .. sid)
    local rest = string.match(row or '', '^%d+ %d+ %d+ %d+ %d+ %S+ %d+ (.*)$')
    if rest and string.sub(rest, 1, #ARGV[2]) == ARGV[2] then
        sids[#sids + 1] = sid
    end
end

return sids
