"""The Lua scripts of sessions. Each touches one key, so a cluster is as good as a server.

``KEYS[1]`` is a hash: k digest of the verifier, p the one before, px until when that one means
something, pm what ("g" opens the session, "s" does not), c created, l login, a deadline, i idle
milliseconds, r renewed, u user, g generation, n version, b bytes, f fields, and the session's own
values under a dot and their keys; or, once it has ended, x alone. Every answer begins with what an
`Outcome` is numbered and the time.
"""

from __future__ import annotations

from typing import Final

from asynccache.redis.scripts import Script
from asynccache.sessions.store import TOMBSTONE_MS

_NOW = """
local K = KEYS[1]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
"""

# A whole session or none: what is no hash of ours counts as absent.
_FIND = (
    _NOW
    + """
local h = redis.pcall('HMGET', K, 'x', 'k', 'p', 'px', 'pm', 'a', 'i', 'b', 'f', 'u')
if h.err then return {0, now, 0} end
if not h[2] then return {h[1] and 3 or 0, now, 0} end
local deadline, idle = tonumber(h[6]) or 0, tonumber(h[7]) or 0
if deadline <= now then
  redis.call('DEL', K)
  return {0, now, 0}
end
local function is_previous(digest)
  return h[3] == digest and h[5] == 'g' and (tonumber(h[4]) or 0) > now
end
local function live()
  redis.call('PEXPIRE', K, math.max(1, math.min(idle, deadline - now)))
end
local function size(field)
  local held = redis.call('HGET', K, field)
  if held then return #held + #field, 1 end
  return 0, 0
end
local function bury()
  redis.call('DEL', K)
  redis.call('HSET', K, 'x', now)
  redis.call('PEXPIRE', K, TOMBSTONE)
end
""".replace("TOMBSTONE", str(TOMBSTONE_MS))
)

_OPEN = (
    _FIND
    + """
if h[2] ~= ARGV[1] and not is_previous(ARGV[1]) then return {4, now, 0} end
"""
)

TOUCH: Final = Script(_OPEN + "live() return {1, now, deadline}")
"""ARGV: digest."""

CREATE: Final = Script(
    _NOW
    + """
if redis.call('EXISTS', K) == 1 then
  local held = redis.pcall('HGET', K, 'k')
  if held == ARGV[1] then return {1, now, tonumber(redis.call('HGET', K, 'a'))} end
  return {4, now, 0}
end
local absolute, idle = tonumber(ARGV[2]), tonumber(ARGV[3])
local bytes, fields = 0, 0
for place = 8, #ARGV, 2 do
  bytes = bytes + #ARGV[place] + #ARGV[place + 1]
  fields = fields + 1
end
if bytes > tonumber(ARGV[6]) or fields > tonumber(ARGV[7]) then return {6, now, 0} end
redis.call('HSET', K, 'k', ARGV[1], 'c', now, 'a', now + absolute, 'i', idle, 'r', now, 'n', 1,
  'b', bytes, 'f', fields, 'g', ARGV[5])
if ARGV[4] ~= '' then redis.call('HSET', K, 'u', ARGV[4], 'l', now) end
for place = 8, #ARGV, 2 do redis.call('HSET', K, ARGV[place], ARGV[place + 1]) end
redis.call('PEXPIRE', K, math.min(idle, absolute))
return {1, now, now + absolute}
"""
)
"""ARGV: digest, absolute, idle, user, generation, most bytes, most fields, then fields and
values."""

COMMIT: Final = Script(
    _FIND
    + """
local digest, new = ARGV[1], ARGV[2]
local previous = false
if h[2] ~= digest then
  -- Sent a second time: it has been done.
  if new ~= '' and h[2] == new then return {1, now, deadline} end
  previous = is_previous(digest)
  if not previous then return {4, now, 0} end
end
local clear = ARGV[10] == '1'
local most_bytes, most_fields = tonumber(ARGV[11]), tonumber(ARGV[12])
local sets, dels, expected = tonumber(ARGV[14]), tonumber(ARGV[15]), tonumber(ARGV[16])
local first_del = 17 + 2 * sets
local first_expected = first_del + dels
for place = first_expected, first_expected + 3 * expected - 1, 3 do
  local held = redis.call('HGET', K, ARGV[place])
  if (held and '1' or '0') ~= ARGV[place + 1] or (held or '') ~= ARGV[place + 2] then
    return {8, now, deadline}
  end
end
local held_bytes, held_fields = tonumber(h[8]) or 0, tonumber(h[9]) or 0
local bytes, fields = held_bytes, held_fields
local function without(field)
  local gone_bytes, gone_fields = size(field)
  bytes, fields = bytes - gone_bytes, fields - gone_fields
end
if clear then bytes, fields = 0, 0 end
for place = first_del, first_expected - 1 do
  if not clear then without(ARGV[place]) end
end
for place = 17, first_del - 1, 2 do
  if not clear then without(ARGV[place]) end
  bytes, fields = bytes + #ARGV[place] + #ARGV[place + 1], fields + 1
end
if (bytes > most_bytes and bytes > held_bytes) or (fields > most_fields and fields > held_fields)
then
  return {6, now, deadline}
end
local user = h[10] or ''
if ARGV[8] == '1' then user = ARGV[9] end
if fields == 0 and user == '' and (clear or dels > 0) then
  bury()
  return {2, now, 0}
end
if clear then
  for _, field in ipairs(redis.call('HKEYS', K)) do
    if string.sub(field, 1, 1) == '.' then redis.call('HDEL', K, field) end
  end
end
for place = first_del, first_expected - 1 do redis.call('HDEL', K, ARGV[place]) end
for place = 17, first_del - 1, 2 do redis.call('HSET', K, ARGV[place], ARGV[place + 1]) end
local outcome = 1
if new ~= '' then
  if previous and ARGV[3] == 'g' then outcome = 7
  else
    redis.call('HSET', K, 'p', h[2], 'k', new, 'px', now + tonumber(ARGV[4]), 'pm', ARGV[3],
      'r', now)
    if ARGV[5] ~= '' then redis.call('HSET', K, 'g', ARGV[5]) end
  end
elseif ARGV[13] ~= '' and not previous then redis.call('HSET', K, 'k', ARGV[13]) end
if ARGV[6] ~= '0' then deadline = now + tonumber(ARGV[6]) end
if ARGV[7] ~= '0' then idle = tonumber(ARGV[7]) end
if ARGV[8] == '1' then redis.call('HSET', K, 'u', user, 'l', user == '' and 0 or now) end
redis.call('HSET', K, 'a', deadline, 'i', idle, 'b', bytes, 'f', fields)
redis.call('HINCRBY', K, 'n', 1)
live()
return {outcome, now, deadline}
"""
)
"""ARGV: 1 digest, 2 new digest or nothing, 3 mode, 4 grace, 5 generation, 6 absolute, 7 idle,
8 whether the user changes, 9 user, 10 clear, 11 most bytes, 12 most fields, 13 rekeyed digest,
14 to 16 how many sets, deletes and expectations; then those: field and value, field, and field,
whether there is one, value."""

DESTROY: Final = Script(
    _FIND
    + """
if ARGV[1] ~= '*' and h[2] ~= ARGV[1] and not is_previous(ARGV[1]) then return {4, now, 0} end
bury()
return {1, now, 0}
"""
)
"""ARGV: digest, or a star: whatever it is."""

INCREMENT: Final = Script(
    _OPEN
    + """
local before, had = size(ARGV[2])
local added = redis.pcall('HINCRBY', K, ARGV[2], ARGV[3])
if type(added) == 'table' then return {9, now, deadline} end
local value = redis.call('HGET', K, ARGV[2])
local bytes = (tonumber(h[8]) or 0) - before + #ARGV[2] + #value
local fields = (tonumber(h[9]) or 0) - had + 1
if bytes > tonumber(ARGV[4]) or fields > tonumber(ARGV[5]) then
  if had == 1 then redis.call('HINCRBY', K, ARGV[2], -tonumber(ARGV[3]))
  else redis.call('HDEL', K, ARGV[2]) end
  return {6, now, deadline}
end
redis.call('HSET', K, 'b', bytes, 'f', fields)
redis.call('HINCRBY', K, 'n', 1)
live()
return {1, now, deadline, value}
"""
)
"""ARGV: digest, field, by, most bytes, most fields."""

TAKE: Final = Script(
    _OPEN
    + """
local value = redis.call('HGET', K, ARGV[2])
if not value then return {1, now, deadline, false} end
redis.call('HDEL', K, ARGV[2])
redis.call('HINCRBY', K, 'b', -(#value + #ARGV[2]))
redis.call('HINCRBY', K, 'f', -1)
redis.call('HINCRBY', K, 'n', 1)
live()
return {1, now, deadline, value}
"""
)
"""ARGV: digest, field."""

INDEX: Final = Script(
    _NOW
    + """
if redis.call('TYPE', K).ok ~= 'zset' then redis.call('DEL', K) end
redis.call('ZREMRANGEBYSCORE', K, '-inf', now)
redis.call('ZADD', K, now + tonumber(ARGV[2]), ARGV[1])
if redis.call('PTTL', K) < tonumber(ARGV[2]) then redis.call('PEXPIRE', K, ARGV[2]) end
return 1
"""
)
"""ARGV: place, absolute."""
