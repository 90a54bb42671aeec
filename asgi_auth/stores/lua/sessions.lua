-- Read a page of the live sessions of a subject, the oldest first.
--
-- The names of the rows are made here from the index: they share its hash tag, hence
-- its slot, and asking for them in a second trip would tear the picture. A tag is 64
-- bits of a hash, so that somebody may have looked for a neighbour: whose a row is says
-- the row.
--
-- KEYS: the subject's index of ends, and of beginnings
-- ARGV: what the rows' names begin with, the owner as JSON, time or '', the place to
-- begin behind, length of a page
-- Returns sid, row, sid, row, ...
local now = tonumber(ARGV[3])
if not now then
    local time = redis.call('TIME')
    now = tonumber(time[1]) * 1000000 + tonumber(time[2])
end

local place = ARGV[4]
local length = tonumber(ARGV[5])
local found = {}
local count

repeat
    local names = redis.call('ZRANGEBYLEX', KEYS[2], place, '+', 'LIMIT', 0, length)
    for _, name in ipairs(names) do
        local sid = string.sub(name, 18)
        local row = redis.call('GET', ARGV[1] .. sid)
        local idle, expires, rest =
            string.match(row or '', '^%d+ %d+ %d+ (%d+) (%d+) %S+ %d+ (.*)$')
        local is_live = idle and now < tonumber(idle) and now < tonumber(expires)
        if is_live and string.sub(rest, 1, #ARGV[2]) == ARGV[2] and #found < 2 * length then
            found[#found + 1] = sid
            found[#found + 1] = row
        end
        place = '(' .. name
    end
    count = #names
until count < length or #found == 2 * length

return found
