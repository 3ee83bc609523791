"""One mechanism taken away each: the simulation has to notice.

Beside the parts of `tests.support.mutants` there are broken scripts: the server is a double.
"""

from __future__ import annotations

from typing import Any, Final

from asynccache.redis import lua
from tests.simulation.redis_double import RedisDouble, ServerScript
from tests.simulation.schedule import Broken
from tests.simulation.scripts import SCRIPTS
from tests.support import mutants
from tests.support.caches import Parts


def _with(script: str, broken: ServerScript) -> Broken:
    return Broken(scripts={**SCRIPTS, script: broken})


def _fill_without_lease(db: RedisDouble, keys: list[bytes], argv: list[bytes]) -> Any:
    db.put(keys[1], argv[0])
    return SCRIPTS[lua.FILL.sha1](db, keys, argv)


def _fill_when_the_lease_is_gone(db: RedisDouble, keys: list[bytes], argv: list[bytes]) -> Any:
    if db.find(keys[1]) is None:
        db.put(keys[1], argv[0])
    return SCRIPTS[lua.FILL.sha1](db, keys, argv)


def _forget_sparing_the_lease(db: RedisDouble, keys: list[bytes], argv: list[bytes]) -> Any:
    return db.delete(keys[0])


def _put_whenever_it_comes(db: RedisDouble, keys: list[bytes], argv: list[bytes]) -> Any:
    return SCRIPTS[lua.PUT.sha1](db, keys, [b"0", *argv[1:]])


def _put_without_version(db: RedisDouble, keys: list[bytes], argv: list[bytes]) -> Any:
    return SCRIPTS[lua.PUT.sha1](db, keys, [*argv[:3], b"0", b"0"])


def _keep_the_token(db: RedisDouble, keys: list[bytes], argv: list[bytes]) -> Any:
    return SCRIPTS[lua.ENSURE.sha1](db, keys[1:], argv[:2])


def _publish_nothing(db: RedisDouble, keys: list[bytes], argv: list[bytes]) -> Any:
    return db.add(keys[0], 1)


MUTANTS: Final = {
    "fill without a lease": (7, _with(lua.FILL.sha1, _fill_without_lease)),
    "fill when the lease is gone": (7, _with(lua.FILL.sha1, _fill_when_the_lease_is_gone)),
    "forget spares the lease": (7, _with(lua.FORGET.sha1, _forget_sparing_the_lease)),
    "put whenever it comes": (960, _with(lua.PUT.sha1, _put_whenever_it_comes)),
    "put without version": (26, _with(lua.PUT.sha1, _put_without_version)),
    "tags keep their tokens": (8, _with(lua.RETAG.sha1, _keep_the_token)),
    "no messages": (1300, _with(lua.PUBLISH.sha1, _publish_nothing)),
    "all lives are one": (97, Broken(stamp=lambda _: bytes(8))),
    "announces first": (195, Broken(Parts(store=mutants.AnnouncesFirst))),
    "never poisons": (133, Broken(Parts(first=mutants.NeverPoisons))),
    "never detaches": (620, Broken(Parts(first=mutants.NeverDetaches))),
    "ignores gaps": (14, Broken(Parts(first=mutants.IgnoresGaps))),
    "needs no proof": (4100, Broken(Parts(first=mutants.NeedsNoProof))),
    "unordered": (620, Broken(Parts(writer=mutants.Unordered))),
    "notes nothing": (27, Broken(Parts(journal=mutants.NotesNothing))),
}
"""Each with a seed from which on it is noticed soon."""
