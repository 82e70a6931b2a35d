-- Removes the oldest entries, but none that a consumer group has not acknowledged, and never the last one.
-- KEYS[1]: the stream. ARGV[1]: entries to keep, 0 for all. ARGV[2]: the position to keep from, 0 for all.
-- ARGV[3]: the most entries to look at in one go. Returns how many were removed.
if redis.replicate_commands then redis.replicate_commands() end
local key, kept, first, most = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
if redis.call('EXISTS', key) == 0 then return 0 end
local function position(id) return tonumber(string.match(id, '^%d+')) end

local floor = math.huge
for _, group in ipairs(redis.call('XINFO', 'GROUPS', key)) do
  local named = {}
  for i = 1, #group, 2 do named[group[i]] = group[i + 1] end
  local needed = position(named['last-delivered-id']) + 1
  local pending = redis.call('XPENDING', key, named['name'])
  if pending[1] > 0 then needed = math.min(needed, position(pending[2])) end
  floor = math.min(floor, needed)
end

local excess = redis.call('XLEN', key) - kept
if kept > 0 and excess > 0 then
  local oldest = redis.call('XRANGE', key, '-', '+', 'COUNT', math.min(excess, most) + 1)
  first = math.max(first, position(oldest[#oldest][1]))
end
local last = redis.call('XREVRANGE', key, '+', '-', 'COUNT', 1)[1]
if not last then return 0 end
first = math.min(first, floor, position(last[1]))
if first <= 0 then return 0 end
return redis.call('XTRIM', key, 'MINID', string.format('%.0f-0', first))
