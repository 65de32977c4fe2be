"""TTS Studio: `python app.py` serves the page, REST and docs on this machine."""

from __future__ import annotations

import sys

from tts_core.cli.serve.studio import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
