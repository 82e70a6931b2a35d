-- What wrk sends: METHOD TARGET BODY IDS_FILE START, with `{id}` and `{n}` filled in; prints its figures as one JSON line.

local method, target, body, ids, n

function init(args)
   method, target, body, ids, n = args[1], args[2], args[3], {}, tonumber(args[5])
   for id in io.lines(args[4]) do ids[#ids + 1] = id end
   if body == "" then body = nil end
end

function request()
   n = n + 1
   local path = target:gsub("{id}", ids[n % #ids + 1])
   local filled = body and body:gsub("{n}", string.format("%d", n))
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
