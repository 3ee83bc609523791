"""The command line: `asynccache demo`."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Coroutine
from contextlib import suppress
from typing import Annotated

try:
    import typer
    from rich.console import Console
except ModuleNotFoundError as missing:
    sys.stderr.write(
        f"asynccache: the command line needs {str(missing.name).partition('.')[0]}; "
        'install it with: pip install "asynccache[cli]"\n'
    )
    raise SystemExit(2) from None

from asynccache import __version__
from asynccache.types import T

main = typer.Typer(
    name="asynccache",
    help="A two-level cache for asyncio, Starlette and FastAPI.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"asynccache {__version__}")
        raise typer.Exit


@main.callback()
def _asynccache(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """A two-level cache for asyncio, Starlette and FastAPI."""


@main.command()
def demo(  # noqa: PLR0917  typer makes options of them, by name
    redis: Annotated[
        str | None, typer.Option(metavar="URL", help="Share this Redis; without: memory alone.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, max=16, help="Processes that serve the shop.")] = 1,
    serve: Annotated[
        bool, typer.Option("--serve", help="Keep the shop up afterwards, until Ctrl-C.")
    ] = False,
    host: Annotated[str, typer.Option(help="Address to serve at.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=1, max=65_535, help="First worker's port with --serve.")
    ] = 8_000,
    seconds: Annotated[
        float, typer.Option(min=0.5, max=3_600, help="Seconds measured, without and with cache.")
    ] = 5.0,
    warmup: Annotated[
        float, typer.Option(min=0, max=600, help="Seconds the cache, empty at first, has to fill.")
    ] = 6.0,
    connections: Annotated[int, typer.Option(min=1, max=1_000, help="Visitors at a time.")] = 32,
    products: Annotated[
        int, typer.Option(min=100, max=1_000_000, help="Products in the shop.")
    ] = 50_000,
    skew: Annotated[
        float, typer.Option(min=0, max=5, help="Exponent of Zipf's law; 0: no favourites.")
    ] = 1.2,
    seed: Annotated[int, typer.Option(help="The same seed makes the same visitors.")] = 1,
) -> None:
    """Measure a real shop under real load, without the cache and with it."""
    # Not at the top: `asynccache --version` works without the demo's libraries.
    from asynccache.demo.errors import DemoProblem  # noqa: PLC0415
    from asynccache.demo.locate import require_libraries  # noqa: PLC0415

    try:
        require_libraries()
        from asynccache.demo.run import Demo, Options  # noqa: PLC0415

        options = Options(
            redis=redis,
            workers=workers,
            serve=serve,
            host=host,
            port=port,
            seconds=seconds,
            warmup=warmup,
            connections=connections,
            products=products,
            skew=skew,
            seed=seed,
        )
        succeeded = asyncio.run(_until_terminated(Demo(options, Console()).run()))
    except DemoProblem as problem:
        typer.echo(f"asynccache demo: {problem}", err=True)
        raise typer.Exit(2) from None
    except KeyboardInterrupt:
        raise typer.Exit(128 + signal.SIGINT) from None
    except asyncio.CancelledError:
        raise typer.Exit(128 + signal.SIGTERM) from None
    if not succeeded:
        raise typer.Exit(1)


async def _until_terminated(run: Coroutine[None, None, T]) -> T:
    # A SIGTERM ends the run as Ctrl-C does: the workers are stopped, the copies removed.
    running = asyncio.create_task(run)
    with suppress(NotImplementedError):  # Windows has no such handler
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
    return await running


if __name__ == "__main__":
    main()
