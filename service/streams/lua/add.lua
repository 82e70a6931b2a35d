-- Adds to each stream all of a batch that is its own, or nothing, and only onto the entry that comes before it.
-- KEYS: the streams. ARGV: the position that each of them must end with; then for each entry the numbers of the streams
-- that it goes into, with blanks between, position, event, type, subject, tenant, digest. Returns the streams' last ids,
-- which are the batch's own where it was added.
-- Nothing here can fail once the first entry is in: ids rise, and a server out of memory refuses the first write only.
if redis.replicate_commands then redis.replicate_commands() end
local lasts, prevs = {}, {}
for n, key in ipairs(KEYS) do
  local last = '0-0'
  if redis.call('EXISTS', key) == 1 then
    local info = redis.call('XINFO', 'STREAM', key)
    for i = 1, #info, 2 do
      if info[i] == 'last-generated-id' then last = info[i + 1] end
    end
  end
  lasts[n] = last
  if last == ARGV[n] .. '-0' then prevs[n] = ARGV[n] end
end

local places = {}
for i = #KEYS + 1, #ARGV, 7 do
  local place, position = ARGV[i], ARGV[i + 1]
  local id, streams = position .. '-0', places[place]
  if not streams then
    streams = {}
    for number in string.gmatch(place, '%d+') do
      local n = tonumber(number)
      if prevs[n] then table.insert(streams, n) end
    end
    places[place] = streams
  end
  for _, n in ipairs(streams) do
    redis.call('XADD', KEYS[n], id, 'event', ARGV[i + 2], 'type', ARGV[i + 3], 'subject', ARGV[i + 4],
      'tenant', ARGV[i + 5], 'prev', prevs[n], 'digest', ARGV[i + 6])
    prevs[n], lasts[n] = position, id
  end
end
return lasts
