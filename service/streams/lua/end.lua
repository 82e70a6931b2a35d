-- Where a stream ends: its last id, and the digest of the entry with that id, empty where there is none any more.
-- KEYS[1]: the stream.
if redis.call('EXISTS', KEYS[1]) == 0 then return {'0-0', ''} end
local last = ''
local info = redis.call('XINFO', 'STREAM', KEYS[1])
for i = 1, #info, 2 do
  if info[i] == 'last-generated-id' then last = info[i + 1] end
end
for _, entry in ipairs(redis.call('XRANGE', KEYS[1], last, last)) do
  local fields = entry[2]
  for i = 1, #fields, 2 do
    if fields[i] == 'digest' then return {last, fields[i + 1]} end
  end
end
return {last, ''}
