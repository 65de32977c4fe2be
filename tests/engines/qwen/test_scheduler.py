"""One thread owns the model: takes in any threads, a bounded queue, stops, errors of one take, listeners who vanish."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from itertools import islice
from threading import Event, Thread, enumerate as enumerate_threads

import numpy as np
import pytest
import torch

from tests.engines.qwen.conftest import WriteCheckpoint
from tests.engines.qwen.golden import golden
from tests.engines.qwen.takes import greedy_request, sampled_request
from tests.engines.qwen.test_batch import Replayed
from tts_core.domain.errors import EngineFailed, QueueFull
from tts_core.domain.events import AudioChunk, EngineEvent, Finished, Samples
from tts_core.domain.values import StopReason
from tts_core.engines.qwen.codec.slots import CodecSlots
from tts_core.engines.qwen.generation.frame_step import FrameStep
from tts_core.engines.qwen.generation.generate import GenerationRequest
from tts_core.engines.qwen.generation.scheduler import Scheduler
from tts_core.engines.qwen.generation.sound_queue import SoundQueue
from tts_core.engines.qwen.generation.take import TakeInProgress
from tts_core.engines.qwen.kernels.graphs import Work
from tts_core.engines.qwen.speech_model import QwenModel
from tts_core.engines.qwen.talker.prompt import Prompt, PromptRequest, XVectorClone

CPU = torch.device("cpu")
CHUNK_TOLERANCE = 1e-4
Heard = tuple[Samples, Finished]


@pytest.fixture(scope="module")
def model(checkpoint: WriteCheckpoint) -> QwenModel:
    return QwenModel.load(checkpoint("base", "a"), device="cpu")


@cache
def prompt(model: QwenModel) -> Prompt:
    embedding = torch.from_numpy(golden("a")["clone/speaker_embedding"])
    return model.build_prompt(PromptRequest("hello world", XVectorClone(embedding)))


def studio(model: QwenModel, slots: int = 3, *, records: bool = True, max_waiting: int = 64) -> Scheduler:
    """As on CUDA, with threads for frames and for sound and with work that is replayed; or as on a CPU."""
    step = FrameStep(model.talker, slots, Replayed() if records else None)
    codec = CodecSlots(model.codec.decoder, CPU, 2 * slots, Replayed() if records else None)
    return Scheduler(step, SoundQueue(codec, 2 * slots, pads=records), CPU, max_waiting=max_waiting)


def hear(events: Iterator[EngineEvent]) -> Heard:
    *chunks, finished = events
    assert isinstance(finished, Finished)
    sound = [chunk.samples for chunk in chunks if isinstance(chunk, AudioChunk)]
    return np.concatenate([*sound, np.zeros(0, np.float32)]), finished


def ask(scheduler: Scheduler, speech: TakeInProgress) -> Iterator[EngineEvent]:
    scheduler.submit(speech)
    return speech.listen()


def request(model: QwenModel, frames: int, seed: int) -> GenerationRequest:
    return sampled_request(prompt(model), frames + 1, seed=seed)


@pytest.mark.parametrize("records", [False, True])
def test_takes_beside_each_other_sound_as_they_do_alone(model: QwenModel, records: bool) -> None:
    """More than there are slots, with and without a reference, in chunks of all sizes."""
    reference = torch.from_numpy(golden("a")["clone/ref_codes"])

    def speeches() -> list[TakeInProgress]:
        return [
            TakeInProgress(
                request(model, frames, frames), reference=reference if frames % 2 else None, chunk_frames=chunk
            )
            for frames, chunk in ((11, None), (6, None), (3, 1), (13, 5), (9, None))
        ]

    alone = [hear(ask(studio(model, 1, records=False), speech)) for speech in speeches()]
    scheduler = studio(model, records=records)
    together = [hear(events) for events in [ask(scheduler, speech) for speech in speeches()]]
    for (expected, end), (sound, its_end) in zip(alone, together, strict=True):
        np.testing.assert_allclose(sound, expected, rtol=0, atol=CHUNK_TOLERANCE)
        assert its_end == end


class Held(Replayed):
    """Makes no frame until it may."""

    def __init__(self) -> None:
        super().__init__()
        self.is_held, self.go = Event(), Event()

    def run(self, key: Hashable, work: Work) -> None:
        self.is_held.set()
        self.go.wait(60)
        super().run(key, work)


def test_the_queue_is_bounded_and_has_room_again(model: QwenModel) -> None:
    graphs = Held()
    sound_queue = SoundQueue(CodecSlots(model.codec.decoder, CPU, 2), 2, pads=False)
    scheduler = Scheduler(FrameStep(model.talker, 1, graphs), sound_queue, CPU, max_waiting=2)
    first = ask(scheduler, TakeInProgress(request(model, 2, 0)))
    assert graphs.is_held.wait(60)
    waiting = [ask(scheduler, TakeInProgress(request(model, 1, seed))) for seed in (1, 2)]
    with pytest.raises(QueueFull, match="2 requests"):
        scheduler.submit(TakeInProgress(request(model, 1, 3)))
    graphs.go.set()
    assert [hear(events)[1].stop_reason for events in (first, *waiting)] == [StopReason.MAX_LENGTH] * 3
    assert hear(ask(scheduler, TakeInProgress(request(model, 1, 3))))[1].seed == 3


def test_who_waits_can_stop_waiting(model: QwenModel) -> None:
    stop = Event()
    scheduler = studio(model, 1)
    speaking = ask(scheduler, TakeInProgress(request(model, 4000, 0), chunk_frames=1))
    next(speaking)
    waiting = ask(scheduler, TakeInProgress(replace(request(model, 5, 1), cancelled=stop.is_set)))
    stop.set()
    assert list(waiting) == [Finished(StopReason.CANCELLED, seed=1)]
    speaking.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize("records", [False, True])
@pytest.mark.thorough
def test_fifty_listeners_who_vanish_leave_room_for_the_next(model: QwenModel, records: bool) -> None:
    scheduler = studio(model, records=records)
    for number in range(50):
        events = scheduler.speak(TakeInProgress(request(model, 4000, number), chunk_frames=1))
        list(islice(events, number % 3))
        events.close()  # type: ignore[attr-defined]
    expected, _ = hear(ask(studio(model, 1, records=False), TakeInProgress(request(model, 5, 7))))
    sound, end = hear(ask(scheduler, TakeInProgress(request(model, 5, 7))))
    np.testing.assert_allclose(sound, expected, rtol=0, atol=CHUNK_TOLERANCE)
    assert end == Finished(StopReason.MAX_LENGTH, seed=7)


@pytest.mark.parametrize("records", [False, True])
def test_a_take_that_can_not_begin_disturbs_nobody(model: QwenModel, records: bool) -> None:
    scheduler = studio(model, records=records)
    good = ask(scheduler, TakeInProgress(request(model, 8, 1)))
    narrow = replace(prompt(model), embeddings=torch.zeros(1, 5, 3))
    bad = ask(scheduler, TakeInProgress(greedy_request(narrow, 5)))
    long = replace(prompt(model), embeddings=torch.zeros(1, 10**6, 1))
    too_long = ask(scheduler, TakeInProgress(greedy_request(long, 5)))
    with pytest.raises(RuntimeError):
        next(bad)
    with pytest.raises(EngineFailed, match="longer than the model can read"):
        next(too_long)
    expected, _ = hear(ask(studio(model, 1, records=False), TakeInProgress(request(model, 8, 1))))
    np.testing.assert_allclose(hear(good)[0], expected, rtol=0, atol=CHUNK_TOLERANCE)


class Breaking(Replayed):
    """Fails once, when told to."""

    def __init__(self) -> None:
        super().__init__()
        self.breaks = False

    def run(self, key: Hashable, work: Work) -> None:
        if self.breaks and isinstance(key, tuple) and key[0] == "frame":
            self.breaks = False
            raise RuntimeError("out of memory")
        super().run(key, work)


def test_a_frame_that_fails_is_told_to_all_in_it_and_the_next_take_speaks(model: QwenModel) -> None:
    graphs = Breaking()
    step = FrameStep(model.talker, 2, graphs)
    scheduler = Scheduler(step, SoundQueue(CodecSlots(model.codec.decoder, CPU, 4), 4, pads=False), CPU, max_waiting=4)
    takes = [ask(scheduler, TakeInProgress(request(model, 4000, seed), chunk_frames=1)) for seed in (1, 2)]
    for events in takes:
        next(events)
    graphs.breaks = True
    for events in takes:
        with pytest.raises(RuntimeError, match="out of memory"):
            list(events)
    assert hear(ask(scheduler, TakeInProgress(request(model, 5, 7))))[1].stop_reason is StopReason.MAX_LENGTH


def test_sound_that_fails_is_told_to_its_listener_alone(model: QwenModel) -> None:
    scheduler = studio(model)
    reference = torch.full((3, 16), 10**6)  # no such codes
    bad, good = (ask(scheduler, TakeInProgress(request(model, 8, 1), reference=codes)) for codes in (reference, None))
    with pytest.raises((IndexError, RuntimeError)):
        list(bad)
    assert hear(good)[1].stop_reason is StopReason.MAX_LENGTH


def test_whoever_runs_out_of_sound_first_is_served_first(model: QwenModel) -> None:
    order: list[int] = []
    is_held, go = Event(), Event()

    class Noting(CodecSlots):
        def decode(self, slots: Sequence[int], codes: torch.Tensor) -> torch.Tensor:
            order.extend(slots)
            is_held.set()
            go.wait(60)
            return super().decode(slots, codes)

    sound_queue = SoundQueue(Noting(model.codec.decoder, CPU, 3), 3, pads=False)
    sound_queue.use_thread(CPU, lambda: None)
    first, rich, poor = (
        TakeInProgress(request(model, 9, seed), chunk_frames=frames) for seed, frames in ((1, 1), (2, 2), (3, 3))
    )
    rich.send(AudioChunk(np.zeros(0, np.float32)), frames=100)  # it has eight seconds to play, the others nothing
    voices = [sound_queue.open(speech) for speech in (first, rich, poor)]
    frame = torch.zeros(16, dtype=torch.int64)
    sound_queue.add(voices[0], frame)
    assert is_held.wait(60)
    for voice in voices[1:]:
        for _ in range(3):
            sound_queue.add(voice, frame)
    go.set()
    for voice in voices:
        sound_queue.end(voice, StopReason.COMPLETE)
    hear(poor.listen())
    hear(rich.listen())
    assert order[:3] == [voice.slot for voice in (voices[0], voices[2], voices[1])]


def test_the_thread_ends_when_there_is_nothing_to_do(model: QwenModel) -> None:
    before = set(enumerate_threads())
    scheduler = studio(model, 1, records=False)
    hear(ask(scheduler, TakeInProgress(request(model, 1, 0))))
    (mine,) = set(enumerate_threads()) - before
    scheduler.close()
    mine.join(60)
    assert not mine.is_alive()
    assert hear(ask(scheduler, TakeInProgress(request(model, 1, 0))))[1].stop_reason is StopReason.MAX_LENGTH


def test_what_is_usual_is_recorded_in_the_background_and_takes_come_first(model: QwenModel) -> None:
    expected, _ = hear(ask(studio(model, 1, records=False), TakeInProgress(request(model, 6, 1))))
    scheduler = studio(model, 2)
    scheduler.warm_up()
    np.testing.assert_allclose(
        hear(ask(scheduler, TakeInProgress(request(model, 6, 1))))[0], expected, rtol=0, atol=CHUNK_TOLERANCE
    )
    scheduler.wait_until_warm()
    done, of_all = scheduler.warmed
    assert done == of_all > 10
    np.testing.assert_allclose(
        hear(ask(scheduler, TakeInProgress(request(model, 6, 1))))[0], expected, rtol=0, atol=CHUNK_TOLERANCE
    )


def test_callers_in_many_threads_get_their_own(model: QwenModel) -> None:
    scheduler = studio(model, 4)
    expected = {
        seed: hear(ask(studio(model, 1, records=False), TakeInProgress(request(model, 4, seed))))[0] for seed in (1, 2)
    }
    wrong: list[int] = []

    def client(seed: int) -> None:
        sound, _ = hear(ask(scheduler, TakeInProgress(request(model, 4, seed))))
        if not np.allclose(sound, expected[seed], rtol=0, atol=CHUNK_TOLERANCE):
            wrong.append(seed)

    threads = [Thread(target=client, args=(seed,)) for seed in (1, 2) * 6]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert (wrong, [thread.is_alive() for thread in threads]) == ([], [False] * 12)
