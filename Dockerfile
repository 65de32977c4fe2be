# TTS Studio in a container; one image for CPU and GPU.
#
#   docker build -t tts-studio .
#   docker run --rm             -p 127.0.0.1:7860:7860 -v tts-studio-data:/data tts-studio    # CPU
#   docker run --rm --gpus all  -p 127.0.0.1:7860:7860 -v tts-studio-data:/data tts-studio    # NVIDIA
#
# People log in: add -e TTS_STUDIO_ADMIN_PASSWORD=… for the user "admin", or make accounts that stay,
#
#   docker run --rm -it -v tts-studio-data:/data tts-studio python -m tts_core users add NAME --role admin
#
# or, with 127.0.0.1 before the port as above, which keeps the studio on this machine: -e TTS_STUDIO_AUTH=off.
# To serve it under another name: -e TTS_STUDIO_ALLOWED_HOSTS=name, and behind a proxy in another container, which is
# described in deploy/nginx.conf: -e TTS_STUDIO_TRUSTED_PROXIES=172.16.0.0/12. Below a path: -e TTS_STUDIO_ROOT_PATH=/tts.
# Models that you have already: -v /path/to/Qwen:/data/models/Qwen
# YourTTS and speaker embeddings, too: -p 127.0.0.1:5003:5003 -p 127.0.0.1:5004:5004 and, after the image's name,
# python -m tts_core serve-all
#
# PyTorch's ordinary Linux wheel computes on NVIDIA cards and, without one, on the CPU, but takes gigabytes. A smaller
# image for the CPU alone takes the wheel from PyTorch's own CPU index (its address stands on PyTorch's "Get started"):
#
#   docker build --build-arg TORCH_INDEX_URL=<that address> -t tts-studio:cpu .

FROM python:3.12-slim

ARG TORCH_INDEX_URL=""

RUN useradd --create-home --uid 1000 studio \
    && install --directory --owner=studio --group=studio /data

WORKDIR /app
# Before the code, so that a change of code does not install everything again. The same version from the CPU index
# ("2.13.0+cpu") counts as newer, so pip takes it where that index is given.
COPY requirements.txt .
RUN pip install --no-cache-dir ${TORCH_INDEX_URL:+--extra-index-url "$TORCH_INDEX_URL"} -r requirements.txt

COPY app.py LICENSE requirements-piper.txt requirements-yourtts.txt ./
COPY assets ./assets
COPY tts_core ./tts_core

ENV PYTHONUNBUFFERED=1 \
    TTS_STUDIO_HOST=0.0.0.0 \
    TTS_STUDIO_PORT=7860 \
    TTS_STUDIO_DATA_DIR=/data
USER studio
VOLUME /data
EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:7860/health', timeout=4)"]
CMD ["python", "app.py"]
