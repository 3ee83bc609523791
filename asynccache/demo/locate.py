"""Where the shop is: inside an installed package, or beside the package in a checkout."""

from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from asynccache.demo.errors import DemoProblem

LIBRARIES = ("aiohttp", "aiosqlite", "fastapi", "rich", "uvicorn")

PACKAGE = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Shop:
    """The example application.

    Attributes:
        package: The name to import it by.
    """

    package: str

    def module(self, name: str) -> ModuleType:
        """Import one of the shop's modules."""
        return importlib.import_module(f"{self.package}.{name}")


def require_libraries() -> None:
    """Check that everything the demo needs is installed.

    Raises:
        DemoProblem: A library is missing.
    """
    missing = [name for name in LIBRARIES if find_spec(name) is None]
    if missing:
        raise DemoProblem(
            f'the demo needs {", ".join(missing)}; install it with: pip install "asynccache[demo]"'
        )


def locate_shop(package: Path = PACKAGE) -> Shop:
    """Find the shop and make it importable.

    Args:
        package: The folder of the asynccache package.

    Raises:
        DemoProblem: It is neither in the package nor beside it.
    """
    if (package / "demo" / "shop" / "app.py").is_file():
        return Shop("asynccache.demo.shop")
    checkout = package.parent
    if (checkout / "examples" / "shop" / "app.py").is_file():
        if str(checkout) not in sys.path:
            sys.path.insert(0, str(checkout))
        return Shop("examples.shop")
    raise DemoProblem(
        "the example application is missing: it is neither in "
        f"{package / 'demo' / 'shop'} nor in {checkout / 'examples' / 'shop'}; "
        "install asynccache again, or run the demo from a complete checkout"
    )
