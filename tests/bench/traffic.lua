-- What wrk sends: METHOD TARGET BODY IDS_FILE START, with `{id}`, `{n}` and `{lock}` filled in; prints its figures as one JSON line.

local method, target, body, ids, locks, n, locking, sent

function init(args)
   method, target, body, ids, locks, n = args[1], args[2], args[3], {}, {}, tonumber(args[5])
   for line in io.lines(args[4]) do
      local id, lock = line:match("(%S*)%s*(%d*)")
      ids[#ids + 1], locks[#locks + 1] = id, tonumber(lock) or 0
   end
   if #ids == 0 then ids, locks = {""}, {0} end
   locking = body:find("{lock}", 1, true) ~= nil
   if body == "" then body = nil end
end

function request()
   n = n + 1
   local at = n % #ids + 1
   local path = target:gsub("{id}", ids[at])
   local filled = body and body:gsub("{n}", string.format("%d", n))
   if locking then
      filled = filled:gsub("{lock}", string.format("%d", locks[at]))
      if sent then locks[at] = locks[at] + 1 end
      sent = true -- the first is only looked at
   end
   return wrk.format(method, path, nil, filled)
end

function done(summary, latency)
   local broken = summary.errors
   local failures = broken.connect + broken.read + broken.write + broken.status + broken.timeout
   io.write(string.format(
      '{"requests": %d, "failures": %d, "seconds": %f, "p50": %f, "p99": %f}\n',
      summary.requests, failures, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3
   ))
end
