"""The scripts. Each touches the keys of one slot: ``KEYS[1]`` is a record, ``KEYS[2]`` its lease.

Permission to fill is positive: a fill needs the lease that was granted before its load began, and
whatever changes the key takes the lease away. So eviction, FLUSHALL, a restart or an expired lease
make a fill fail and never succeed (races 1 to 4 and 24).
"""

from __future__ import annotations

from typing import Final

from asynccache.redis.scripts import Script

_STORE = """
local function store(value, px)
  if px == '0' then redis.call('SET', KEYS[1], value)
  else redis.call('SET', KEYS[1], value, 'PX', px) end
  redis.call('DEL', KEYS[2])
end
"""

# A change that is carried out after its caller has given it up would undo what was acknowledged
# since. So it has a limit: the last millisecond of the server's own time at which it may be carried
# out; 0: always. When it comes too late nothing is done, and it returns that time, negative.
_PUNCTUAL = """
local function lateness(limit)
  if limit == '0' then return nil end
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  if now > tonumber(limit) then return -now end
end
"""

# The grace stands in bytes 13 to 20 of a record; a counter, or anything else, has none.
_GRACE = """
local function grace_of(key)
  local head = redis.pcall('GETRANGE', key, 0, 19)
  if type(head) ~= 'string' or #head < 20 or string.sub(head, 1, 2) ~= 'ac' then return 0 end
  local grace = 0
  for place = 13, 20 do grace = grace * 256 + string.byte(head, place) end
  if grace > 9007199254740991 then return 0 end -- damage: no whole number to reckon with
  return grace
end
local function is_fresh(key)
  local left = redis.call('PTTL', key)
  return left == -1 or (left > 0 and left > grace_of(key))
end
"""

# The version stands in bytes 25 to 32 of a record. Compared in halves: a Lua number has 53 bits.
_VERSION = """
local function is_newer(key, high, low)
  local head = redis.pcall('GETRANGE', key, 0, 31)
  if type(head) ~= 'string' or #head < 32 or string.sub(head, 1, 3) ~= 'ac\\2' then return false end
  local halves = {0, 0}
  for place = 25, 32 do
    local half = place < 29 and 1 or 2
    halves[half] = halves[half] * 256 + string.byte(head, place)
  end
  high, low = tonumber(high), tonumber(low)
  return halves[1] > high or (halves[1] == high and halves[2] > low)
end
"""

FILL: Final = Script(
    _STORE
    + """
if redis.pcall('GET', KEYS[2]) ~= ARGV[1] then return 0 end
store(ARGV[2], ARGV[3])
if redis.call('DEL', KEYS[3]) == 1 then redis.call('PUBLISH', ARGV[4], ARGV[5]) end
return 1
"""
)
"""KEYS[3]: is there if somebody waits. ARGV: token, record, px, channel, message. 1: stored; 0: the
lease is gone or another's, nothing was done."""

RELEASE: Final = Script(
    """
if redis.pcall('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[2])
if redis.call('DEL', KEYS[3]) == 1 then redis.call('PUBLISH', ARGV[2], ARGV[3]) end
return 1
"""
)
"""KEYS[3]: is there if somebody waits. ARGV: token, channel, message. Gives a lease back unused."""

RENEW: Final = Script(
    "if redis.pcall('GET', KEYS[2]) == ARGV[1] then "
    "return redis.call('PEXPIRE', KEYS[2], ARGV[2]) end return 0"
)
"""ARGV: token, milliseconds. Keeps a lease while its load runs."""

PUT: Final = Script(
    _STORE
    + _VERSION
    + _PUNCTUAL
    + """
local late = lateness(ARGV[1])
if late then return late end
if ARGV[4] .. ARGV[5] ~= '00' and is_newer(KEYS[1], ARGV[4], ARGV[5]) then return 0 end
if redis.call('EXISTS', KEYS[3]) == 1 then
  redis.call('DEL', KEYS[1], KEYS[2])
  return 2
end
store(ARGV[2], ARGV[3])
return 1
"""
)
"""KEYS[3]: intents. ARGV: limit, record, px, upper and lower half of the version (0, 0: none). 1:
stored, and the lease of any load taken away; 0: what is there has a higher version, nothing was
done; 2: somebody is about to change the source, and nothing is kept."""

ADD: Final = Script(
    _STORE
    + _GRACE
    + _PUNCTUAL
    + """
local late = lateness(ARGV[1])
if late then return late end
if redis.call('TYPE', KEYS[1]).ok == 'string' and is_fresh(KEYS[1]) then return 0 end
store(ARGV[2], ARGV[3])
return 1
"""
)
"""ARGV: limit, record, px. 1: stored; 0: there is a fresh value, or a string that is damage."""

FORGET: Final = Script(
    """
redis.call('DEL', KEYS[2])
if ARGV[1] ~= '0' then redis.call('SET', KEYS[3], '', 'PX', ARGV[1]) end
return redis.call('DEL', KEYS[1])
"""
)
"""KEYS[3]: the sign of settling. ARGV: for how many milliseconds what is loaded may be old. Removes
the record and the lease: a load that holds it would bring the old value back."""

MARK: Final = Script(
    """
if redis.call('TYPE', KEYS[3]).ok ~= 'set' then redis.call('DEL', KEYS[3]) end
redis.call('DEL', KEYS[1], KEYS[2])
redis.call('SADD', KEYS[3], ARGV[1])
if redis.call('PTTL', KEYS[3]) < tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[3], ARGV[2]) end
return 1
"""
)
"""KEYS[3]: intents. ARGV: nonce, milliseconds. From here on nothing is kept for the key, until
every nonce has been taken back or the longest of their times is over (races 17 to 19)."""

UNMARK: Final = Script(
    """
redis.pcall('SREM', KEYS[3], ARGV[1])
redis.call('DEL', KEYS[2])
return redis.call('DEL', KEYS[1])
"""
)
"""KEYS[3]: intents. ARGV: nonce. Takes an intent back, and removes record and lease."""

# A call that was sent twice is carried out twice. If it brought its token with it, the second time
# would bring back one that has been replaced since, and all values with it.
_FROM_SEED = """
local function token_from(seed)
  local time = redis.call('TIME')
  local left, bytes = time[1] * 1000000 + time[2], {}
  for place = 8, 1, -1 do
    bytes[place] = string.char((string.byte(seed, place) + left) % 256)
    left = math.floor(left / 256)
  end
  return table.concat(bytes)
end
"""

# A token is eight bytes and, in hexadecimal, the clock of its invalidation.
ENSURE: Final = Script(
    _FROM_SEED
    + """
local token = redis.pcall('GET', KEYS[1])
if type(token) == 'string' and #token == 24 then
  if redis.call('PTTL', KEYS[1]) < ARGV[2] / 2 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
  return token
end
token = token_from(ARGV[1]) .. '0000000000000000'
redis.call('DEL', KEYS[1])
redis.call('SET', KEYS[1], token, 'PX', ARGV[2])
return token
"""
)
"""KEYS[1]: a token. ARGV: eight random bytes, milliseconds. Returns the token, made if none is
there: a tag whose token was evicted gets another one, never a first one again (race 27)."""

_TICK = """
local function tick(key)
  if redis.call('TYPE', key).ok == 'string' then
    local clock = redis.pcall('INCR', key)
    if type(clock) == 'number' then return clock end
  end
  redis.call('DEL', key)
  local time = redis.call('TIME')
  return redis.call('INCRBY', key, time[1] .. string.format('%06d', time[2]))
end
"""

TICK: Final = Script(_TICK + "return tick(KEYS[1])")
"""KEYS[1]: the clock of tags. A clock that was lost starts at the time: later than it ever was."""

RETAG: Final = Script(
    _TICK
    + _FROM_SEED
    + """
local former = redis.pcall('GET', KEYS[2])
if type(former) ~= 'string' then former = '' end
redis.call('DEL', KEYS[2])
local clock = ARGV[3] == '' and string.format('%016x', tick(KEYS[1])) or ARGV[3]
if string.sub(former, 9) > clock and #former == 24 then clock = string.sub(former, 9) end
redis.call('SET', KEYS[2], token_from(ARGV[1]) .. clock, 'PX', ARGV[2])
return 1
"""
)
"""KEYS: the clock of tags, a token. ARGV: eight random bytes, milliseconds, the clock in
hexadecimal (empty: to be read here). Replaces a token: what holds the old one is invalid."""

EXPIRE: Final = Script(
    _GRACE
    + """
redis.call('DEL', KEYS[2])
if not is_fresh(KEYS[1]) then return 0 end
local grace = grace_of(KEYS[1])
if grace == 0 then return redis.call('DEL', KEYS[1]) end
return redis.call('PEXPIRE', KEYS[1], grace)
"""
)
"""Ends the freshness and keeps the grace. 1: it was fresh."""

TOUCH: Final = Script(
    _GRACE
    + """
if not is_fresh(KEYS[1]) then return 0 end
if ARGV[1] == '0' then redis.call('PERSIST', KEYS[1]) return 1 end
return redis.call('PEXPIRE', KEYS[1], tonumber(ARGV[1]) + grace_of(KEYS[1]))
"""
)
"""ARGV: milliseconds, 0 = without expiry. Gives a fresh record a new lifetime."""

INCREMENT: Final = Script(
    _PUNCTUAL
    + """
local late = lateness(ARGV[1])
if late then return late end
local kind = redis.call('TYPE', KEYS[1]).ok
local old = kind == 'string' and redis.call('GET', KEYS[1]) or false
local count = '0'
if old then
  if string.sub(old, 1, 1) ~= '#' then return redis.error_reply('ERR not an integer') end
  if string.sub(old, 1, #ARGV[4]) == ARGV[4] then count = string.sub(old, #ARGV[4] + 1)
  else old = false end
end
local left = old and redis.call('PTTL', KEYS[1]) or tonumber(ARGV[3])
redis.call('SET', KEYS[1], count) -- refused if there is no memory, and nothing has happened
redis.call('DEL', KEYS[2])
local sum = redis.pcall('INCRBY', KEYS[1], ARGV[2])
if type(sum) == 'number' then count = redis.call('GET', KEYS[1]) end
if type(sum) ~= 'number' and not old then redis.call('DEL', KEYS[1]) return sum end
redis.call('SET', KEYS[1], ARGV[4] .. count)
if left > 0 then redis.call('PEXPIRE', KEYS[1], left) end
if type(sum) ~= 'number' then return sum end
return count
"""
)
"""ARGV: limit, amount, px for a new counter, what stands in front of a counter's number. The count
as text: a Lua number has only 53 bits, so that Redis itself has to add. What is of another Redis
type, or of an earlier era, gives way to a new counter; a string that is none is an error."""

EXCHANGE: Final = Script(
    _GRACE
    + """
if redis.pcall('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[2] == '' then return redis.call('DEL', KEYS[1]) end
local left = redis.call('PTTL', KEYS[1])
local fresh = left - grace_of(KEYS[1])
redis.call('SET', KEYS[1], ARGV[2])
if left >= 0 then redis.call('PEXPIRE', KEYS[1], fresh) end
return 1
"""
)
"""ARGV: the bytes that were read, and those to put in their place, for as long as they would have
been fresh; empty: remove them."""

NUDGE: Final = Script(
    """
redis.call('PERSIST', KEYS[1])
redis.call('SET', KEYS[1], '')
return redis.call('DEL', KEYS[1])
"""
)
"""KEYS[1]: a key that is not there. Changes it and leaves it so, for those who are told of changes:
to delete what is not there is none. As to PERSIST see `PUBLISH`."""

# PERSIST is a write that needs no memory; after it Redis lets the script count even if it has none
# left, and invalidations have to be told just then. INCR's reply is exact up to 2^53.
PUBLISH: Final = Script(
    """
redis.call('PERSIST', KEYS[1])
local number = redis.pcall('INCR', KEYS[1])
if type(number) == 'table' or number < 2 or number > 9007199254740991 then
  redis.call('DEL', KEYS[1])
  number = redis.call('INCRBY', KEYS[1], ARGV[3])
end
return redis.call('PUBLISH', ARGV[1], string.format('%.0f', number) .. '|' .. ARGV[2])
"""
)
"""KEYS[1]: the sequence. ARGV: channel, message, where to start. A sequence that was lost or
damaged starts anew, at random: it must not look like the old one going on (race 16)."""
