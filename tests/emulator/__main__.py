"""`PYTHONPATH=tests .venv/bin/python -m emulator --port 0 --port-file PATH`: see README.md."""

import argparse
import os
import select
import signal
import stat
import sys
import threading
from pathlib import Path


def main() -> None:
    arguments = parse_arguments()
    # The kernel's default is to end the process at once, even while Python is busy.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if arguments.watch_parent is not None:
        watch_parent(arguments.watch_parent or os.getppid())
    watch_standard_input()

    # Imported here: loading moto takes a second, in which a parent's death must already be noticed.
    from . import warmup
    from .server import Emulator, HTTPServer

    emulator = Emulator()
    server = HTTPServer(arguments.port, emulator)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    if not arguments.cold:
        warmup.warm(server.server_port)
    port_file_written(arguments.port_file, server.server_port)
    print(f"emulator: http://127.0.0.1:{server.server_port}", file=sys.stderr, flush=True)
    threading.Event().wait()


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="emulator", description="AWS for kclust's tests, on 127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0, the default, takes a free one")
    parser.add_argument("--port-file", type=Path, help="written, atomically, once requests are answered fast")
    parser.add_argument(
        "--watch-parent",
        type=int,
        nargs="?",
        const=0,
        metavar="PID",
        help="end when this process ends; without PID, the process that started this one",
    )
    parser.add_argument("--cold", action="store_true", help="skip the warm-up: starts sooner, first calls are slow")
    return parser.parse_args()


def port_file_written(path: Path | None, port: int) -> None:
    if path is None:
        return
    partial = path.with_name(f"{path.name}.{os.getpid()}")
    partial.write_text(f"{port}\n")
    partial.replace(path)


def watch_parent(pid: int) -> None:
    """Ends this process when `pid` ends, however that happens: a pidfd becomes readable even after kill -9."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        os._exit(0)

    def wait():
        select.select([process], [], [])
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()


def watch_standard_input() -> None:
    """Ends this process when the other end of its standard input closes, if that is a pipe or a socket."""
    try:
        mode = os.fstat(0).st_mode
    except OSError:
        return
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
        return

    def wait():
        while os.read(0, 4096):
            pass
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()


if __name__ == "__main__":
    main()
