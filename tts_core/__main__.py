"""`python -m tts_core`: the command line."""

import sys

from tts_core.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
