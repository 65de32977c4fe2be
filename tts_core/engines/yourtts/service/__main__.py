"""YourTTS's own process: loads the model with Coqui's code, then answers messages on its standard input.

It talks only to the program that started it, over the two pipes, and ends when that one closes them or dies.
Whatever a library prints goes to standard error, so that no word of it gets among the messages; Coqui's own log is
switched off, because it holds the texts that are spoken.

    load   {gpu, model}            -> loaded {languages, speakers, sample_rate, vector_size, device}
    vector {rate} + samples        -> vector + floats
    speak  {text, language, speaker | floats, speed, seed} -> audio + samples for each sentence, then done
    cancel {id}                    no answer of its own; a sentence that is being made is finished first
"""

from __future__ import annotations

import logging
import os
import queue
import sys
import threading
from collections.abc import Mapping
from typing import Any, BinaryIO

from tts_core.engines.yourtts.framing import NOTHING, BrokenMessage, Floats, read_message, write_message
from tts_core.engines.yourtts.service.model import LoadedModel, load_model

Inbox = queue.Queue[tuple[dict[str, Any], Floats]]


class Service:
    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._model: LoadedModel | None = None
        self._unwanted: set[int] = set()
        """Requests that were called off."""

    def call_off(self, request: int) -> None:
        self._unwanted.add(request)

    def answer(self, message: Mapping[str, Any], floats: Floats) -> None:
        request = int(message["id"])
        try:
            self._do(request, message, floats)
        except Exception as error:  # noqa: BLE001 - the process's edge: it is reported, and the next request may work
            # The error's own words may quote the text, so they are sent for "load" only, which has none.
            reason = f"{type(error).__name__}: {error}" if message["do"] == "load" else type(error).__name__
            self._send(request, "failed", {"reason": reason[:1000]})
        finally:
            self._unwanted.discard(request)

    def _do(self, request: int, message: Mapping[str, Any], floats: Floats) -> None:
        if message["do"] == "load":
            self._model = load_model(message["model"], gpu=bool(message["gpu"]))
            self._send(request, "loaded", self._model.facts())
            return
        if self._model is None:
            raise RuntimeError("no model is loaded")
        if message["do"] == "vector":
            self._send(request, "vector", {}, self._model.vector(floats, int(message["rate"])))
            return
        for samples in self._model.speak(message, floats):
            self._send(request, "audio", {}, samples)
            if request in self._unwanted:
                break
        self._send(request, "done")

    def _send(self, request: int, event: str, facts: Mapping[str, Any] | None = None, floats: Floats = NOTHING) -> None:
        write_message(self._out, {"id": request, "event": event, **(facts or {})}, floats)


def main() -> int:
    logging.disable(logging.CRITICAL)
    source = os.fdopen(os.dup(0), "rb")
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    service = Service(out)
    inbox: Inbox = queue.Queue()
    threading.Thread(target=_listen, args=(source, service, inbox), daemon=True).start()
    while True:
        message, floats = inbox.get()
        service.answer(message, floats)


def _listen(source: BinaryIO, service: Service, inbox: Inbox) -> None:
    """Take messages in; ends this process when its master ends, whatever it computes just then."""
    try:
        while (found := read_message(source)) is not None:
            message, floats = found
            if message["do"] == "cancel":
                service.call_off(int(message["id"]))
            else:
                inbox.put((message, floats))
    except (BrokenMessage, OSError, KeyError):
        os._exit(1)
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
