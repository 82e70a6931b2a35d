-- Adds all of a batch or nothing, and only onto the entry that comes before it.
-- KEYS[1]: the stream. ARGV[1]: the position it must end with; then for each entry position, event, type, subject,
-- tenant, digest. Returns the stream's last id, which is the batch's own where it was added.
-- Nothing here can fail once the first entry is in: ids rise, and a server out of memory refuses the first write only.
if redis.replicate_commands then redis.replicate_commands() end
local key, prev = KEYS[1], ARGV[1]
local last = '0-0'
if redis.call('EXISTS', key) == 1 then
  local info = redis.call('XINFO', 'STREAM', key)
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then last = info[i + 1] end
  end
end
if last ~= prev .. '-0' then return last end
for i = 2, #ARGV, 6 do
  last = ARGV[i] .. '-0'
  redis.call('XADD', key, last, 'event', ARGV[i + 1], 'type', ARGV[i + 2], 'subject', ARGV[i + 3],
    'tenant', ARGV[i + 4], 'prev', prev, 'digest', ARGV[i + 5])
  prev = ARGV[i]
end
return last
