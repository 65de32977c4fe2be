# TTS Studio in a container; one image for CPU and GPU.
#
#   docker build -t tts-studio .
#   docker run --rm             -p 127.0.0.1:7860:7860 -v tts-studio-data:/data tts-studio    # CPU
#   docker run --rm --gpus all  -p 127.0.0.1:7860:7860 -v tts-studio-data:/data tts-studio    # NVIDIA
#
# 127.0.0.1 before the port keeps the studio on this machine: it asks for no password. To serve it under another name,
# add -e TTS_STUDIO_ALLOWED_HOSTS=name. Models that you have already: -v /path/to/Qwen:/data/models/Qwen
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

COPY app.py LICENSE ./
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
