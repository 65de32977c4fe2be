#!/usr/bin/env bash
# Linux, macOS and WSL: makes the environment on the first run, then starts the studio and its services.
#
#     deploy/start.sh                  the studio, YourTTS and speaker embeddings, on this machine only
#     deploy/start.sh studio           the studio alone; further words go to `python -m tts_core serve-all`
#     PYTHON=python3.12 deploy/start.sh
#
# WSL: Windows reaches what listens here as 127.0.0.1, ports 7860, 5004 and 5003. Where it does not (localhost
# forwarding is off, or another machine shall reach it), add --host 0.0.0.0 and make an account first:
#     .venv/bin/python -m tts_core users add NAME
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

venv=${TTS_STUDIO_VENV:-.venv}
stamp="$venv/.installed"
if [ ! -x "$venv/bin/python" ]; then
    python=${PYTHON:-python3}
    "$python" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14))' || {
        echo "Python 3.10 to 3.13 is needed; say which with PYTHON=python3.12 $0" >&2
        exit 2
    }
    "$python" -m venv "$venv" || {
        echo "No virtual environment. On Debian and Ubuntu: sudo apt install python3-venv" >&2
        exit 2
    }
fi
if [ ! -e "$stamp" ] || [ requirements.txt -nt "$stamp" ]; then
    "$venv/bin/python" -m pip install --disable-pip-version-check -r requirements.txt
    touch "$stamp"
fi
exec "$venv/bin/python" -m tts_core serve-all "$@"
