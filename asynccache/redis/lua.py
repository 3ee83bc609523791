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

FILL: Final = Script(
    _STORE
    + """
if redis.pcall('GET', KEYS[2]) ~= ARGV[1] then return 0 end
store(ARGV[2], ARGV[3])
return 1
"""
)
"""ARGV: token, record, px. 1: stored; 0: the lease is gone or another's, nothing was done."""

RELEASE: Final = Script(
    "if redis.pcall('GET', KEYS[2]) == ARGV[1] then return redis.call('DEL', KEYS[2]) end return 0"
)
"""ARGV: token. Gives a lease back unused."""

RENEW: Final = Script(
    "if redis.pcall('GET', KEYS[2]) == ARGV[1] then "
    "return redis.call('PEXPIRE', KEYS[2], ARGV[2]) end return 0"
)
"""ARGV: token, milliseconds. Keeps a lease while its load runs."""

PUT: Final = Script(_STORE + "store(ARGV[1], ARGV[2]) return 1")
"""ARGV: record, px. Stores whatever is there, and takes the lease of any load away."""

ADD: Final = Script(
    _STORE
    + _GRACE
    + """
if redis.call('TYPE', KEYS[1]).ok == 'string' and is_fresh(KEYS[1]) then return 0 end
store(ARGV[1], ARGV[2])
return 1
"""
)
"""ARGV: record, px. 1: stored; 0: there is a fresh value, or a string that is damage."""

FORGET: Final = Script("redis.call('DEL', KEYS[2]) return redis.call('DEL', KEYS[1])")
"""Removes the record and the lease: a load that holds it would bring the old value back."""

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
    """
local kind = redis.call('TYPE', KEYS[1]).ok
if kind ~= 'string' and kind ~= 'none' then redis.call('DEL', KEYS[1]) end
local count = redis.pcall('INCRBY', KEYS[1], ARGV[1])
if type(count) == 'table' then return count end
redis.call('DEL', KEYS[2])
if kind ~= 'string' and ARGV[2] ~= '0' then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return redis.call('GET', KEYS[1])
"""
)
"""ARGV: amount, px for a new counter. The count as text: a Lua number has only 53 bits. What is of
another Redis type gives way to a new counter; a string that is none is an error."""

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

# PERSIST is a write that needs no memory; after it Redis lets the script count even if it has none
# left, and invalidations have to be told just then. INCR's reply is exact up to 2^53.
PUBLISH: Final = Script(
    """
redis.call('PERSIST', KEYS[1])
local number = redis.pcall('INCR', KEYS[1])
if type(number) == 'table' or number < 1 or number > 9007199254740991 then
  redis.call('DEL', KEYS[1])
  number = redis.call('INCR', KEYS[1])
end
return redis.call('PUBLISH', ARGV[1], string.format('%.0f', number) .. '|' .. ARGV[2])
"""
)
"""KEYS[1]: the sequence. ARGV: channel, message. A damaged sequence starts anew."""
