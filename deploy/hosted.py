"""Starts the studio on a host that shows apps: a Hugging Face Space or a ModelScope Studio. Their README names it.

They reach the app on port 7860 through a proxy of their own network, under a name of theirs. The world can come there,
so somebody has to be able to log in: TTS_STUDIO_ADMIN_PASSWORD, a secret of the Space. What is set already counts.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

PRIVATE_NETWORKS = "127.0.0.0/8,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,100.64.0.0/10,::1,fc00::/7"


def main() -> int:
    os.environ.setdefault("TTS_STUDIO_HOST", "0.0.0.0")  # noqa: S104 - the host's proxy comes from outside
    os.environ.setdefault("TTS_STUDIO_PORT", "7860")
    os.environ.setdefault("TTS_STUDIO_TRUSTED_PROXIES", PRIVATE_NETWORKS)
    if "SPACE_HOST" in os.environ:  # Hugging Face says so under which name it is reached
        os.environ.setdefault("TTS_STUDIO_ALLOWED_HOSTS", os.environ["SPACE_HOST"])
    import app  # noqa: PLC0415 - after the environment

    return app.main([])


if __name__ == "__main__":
    sys.exit(main())
