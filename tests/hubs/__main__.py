"""`python -m tests.hubs [--main-bytes N]`: the hubs alone, until Ctrl-C; prints what points the app at them."""

from __future__ import annotations

import argparse
import contextlib
import shlex
import sys
import tempfile
import threading
from pathlib import Path

from tests.hubs.hubs import Hubs
from tests.hubs.models import SMALL_WEIGHTS_BYTES, make_model
from tests.models.model_folders import KINDS


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.hubs", description=__doc__)
    parser.add_argument("--main-bytes", type=int, default=50 * SMALL_WEIGHTS_BYTES, help="of each model's weights")
    parser.add_argument("--link", type=float, default=0.0, metavar="BYTES_PER_S", help="shared by all connections")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hubs-") as folder, Hubs(Path(folder)) as hubs:
        hubs.publish(*(make_model(Path(folder) / "models", key, main_bytes=args.main_bytes) for key in KINDS))
        for hub in hubs.all:
            hub.link.bytes_per_s = args.link
        for name, value in hubs.environ().items():
            sys.stdout.write(f"export {name}={shlex.quote(value)}\n")
        sys.stdout.flush()
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()


if __name__ == "__main__":
    main()
