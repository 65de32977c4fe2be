"""Models are loaded once, kept as long as the setting says, and put out when room is needed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch

from tts_core.domain.errors import EngineFailed, OutOfMemory
from tts_core.models.cached_model import LoadProgress, ModelLoader
from tts_core.models.faults import MemoryBudgetFull, ModelBeingChanged, ModelInMemory, ModelInUse, ModelNotLoaded
from tts_core.models.memory import ModelCache, ModelMemory


@dataclass
class FakeModel:
    key: str
    memory_bytes: int = 100
    device: str = "cpu"
    is_closed: bool = False

    def close(self) -> None:
        self.is_closed = True


@dataclass
class FakeLoader:
    """Makes fake models; `go` holds a load back until it is set."""

    made: list[FakeModel] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)
    """Raised by the next loads, one each."""
    go: threading.Event = field(default_factory=threading.Event)
    begun: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.go.set()

    def __call__(self, files: Path, progress: LoadProgress) -> FakeModel:
        progress(1, 2)
        self.begun.set()
        assert self.go.wait(60)
        if self.failures:
            raise self.failures.pop()
        self.made.append(FakeModel(files.name))
        return self.made[-1]


@dataclass
class FakeTime:
    """A clock and a Schedule: `advance` moves it and calls what is due."""

    now: float = 0.0
    due: list[tuple[float, Callable[[], None]]] = field(default_factory=list)

    def clock(self) -> float:
        return self.now

    def schedule(self, delay_s: float, call: Callable[[], None]) -> Callable[[], None]:
        item = (self.now + delay_s, call)
        self.due.append(item)
        return lambda: self.due.remove(item) if item in self.due else None

    def advance(self, seconds: float) -> None:
        self.now += seconds
        for item in [item for item in self.due if item[0] <= self.now]:
            self.due.remove(item)
            item[1]()


@pytest.fixture
def loader() -> FakeLoader:
    return FakeLoader()


@pytest.fixture
def time() -> FakeTime:
    return FakeTime()


def memory_of(time: FakeTime, keep_alive_s: float | None = 300.0, budget: int | None = None) -> ModelMemory:
    return ModelMemory(keep_alive_s, lambda: budget, schedule=time.schedule, clock=time.clock)


def cache_in(memory: ModelMemory, loader: FakeLoader, kind: str = "fake") -> ModelCache[FakeModel]:
    """Its models lie in a folder of that kind, and take 100 bytes each."""
    return ModelCache(memory, ModelLoader(kind, loader, lambda key: Path("/models", kind, key), lambda _files: 100))


def build(
    loader: FakeLoader, time: FakeTime, keep_alive_s: float | None = 300.0, budget: int | None = None
) -> ModelCache[FakeModel]:
    return cache_in(memory_of(time, keep_alive_s, budget), loader)


def keys(cache: ModelCache[FakeModel]) -> list[str]:
    return [status.key for status in cache.statuses()]


def test_a_model_is_loaded_once_and_stays_after_use(loader: FakeLoader, time: FakeTime) -> None:
    cache = build(loader, time)
    with cache.lease("a") as first:
        pass
    with cache.lease("a") as second:
        assert second is first
    assert len(loader.made) == 1
    assert not first.is_closed


def test_one_load_serves_all_who_ask_meanwhile(loader: FakeLoader, time: FakeTime) -> None:
    cache = build(loader, time)
    loader.go.clear()
    got: list[FakeModel] = []

    def ask() -> None:
        with cache.lease("a") as model:
            got.append(model)

    askers = [threading.Thread(target=ask) for _ in range(8)]
    for asker in askers:
        asker.start()
    assert loader.begun.wait(60)
    (status,) = cache.statuses()
    assert (status.is_loaded, status.done_bytes, status.total_bytes) == (False, 1, 2)
    loader.go.set()
    for asker in askers:
        asker.join(60)
    assert len(loader.made) == 1
    assert got == [loader.made[0]] * 8


def test_a_failed_load_tells_all_who_waited_and_the_next_one_tries_again(loader: FakeLoader, time: FakeTime) -> None:
    cache = build(loader, time)
    loader.failures.append(EngineFailed(engine="a", reason="broken"))
    with pytest.raises(EngineFailed), cache.lease("a"):
        pass
    assert cache.statuses() == ()
    assert "broken" in (cache.memory.last_error("fake") or "")
    with cache.lease("a") as model:
        assert model.key == "a"
    assert cache.memory.last_error("fake") is None


def test_an_idle_model_goes_after_its_time(loader: FakeLoader, time: FakeTime) -> None:
    cache = build(loader, time, 300)
    cache.load("a")
    time.advance(200)
    assert cache.statuses()[0].unload_in_s == 100
    cache.load("a")  # starts the time anew
    time.advance(200)
    assert keys(cache) == ["a"]
    time.advance(100)
    assert keys(cache) == []
    assert loader.made[0].is_closed


def test_a_model_in_use_outlives_its_time(loader: FakeLoader, time: FakeTime) -> None:
    cache = build(loader, time, 300)
    with cache.lease("a") as model:
        time.advance(1000)
        assert not model.is_closed
    time.advance(300)
    assert model.is_closed


def test_zero_frees_at_once_and_none_never(loader: FakeLoader, time: FakeTime) -> None:
    at_once, never = build(loader, time, 0), build(loader, time, None)
    at_once.load("a")
    never.load("b")
    time.advance(1e9)
    assert (keys(at_once), keys(never)) == ([], ["b"])
    assert [model.is_closed for model in loader.made] == [True, False]


def test_a_model_in_use_cannot_be_unloaded(loader: FakeLoader, time: FakeTime) -> None:
    cache = build(loader, time)
    with cache.lease("a") as model, cache.lease("a"):
        with pytest.raises(ModelInUse) as refused:
            cache.memory.unload("fake", "a")
        assert refused.value.params == {"key": "a", "users": 2}
    cache.memory.unload("fake", "a")
    assert model.is_closed
    with pytest.raises(ModelNotLoaded):
        cache.memory.unload("fake", "a")


def test_the_longest_unused_models_make_room(loader: FakeLoader, time: FakeTime) -> None:
    cache = build(loader, time, budget=250)
    for key in ("a", "b", "a", "c"):
        cache.load(key)
    assert keys(cache) == ["c", "a"]
    assert [model.key for model in loader.made if model.is_closed] == ["b"]


def test_models_in_use_are_not_put_out(loader: FakeLoader, time: FakeTime) -> None:
    cache = build(loader, time, budget=150)
    with cache.lease("a") as model:
        with pytest.raises(MemoryBudgetFull):
            cache.load("b")
        assert not model.is_closed
    cache.load("b")
    assert keys(cache) == ["b"]


def test_a_model_larger_than_the_budget_may_try_alone(loader: FakeLoader, time: FakeTime) -> None:
    cache = build(loader, time, budget=50)
    cache.load("a")
    assert keys(cache) == ["a"]


def test_closing_frees_idle_models_now_and_others_when_given_back(loader: FakeLoader, time: FakeTime) -> None:
    cache = build(loader, time, None)
    with ExitStack() as leases:
        held = leases.enter_context(cache.lease("a"))
        cache.load("b")
        cache.memory.close()
        assert [model.is_closed for model in loader.made] == [False, True]
        assert not held.is_closed
    assert held.is_closed


def test_a_load_can_be_watched() -> None:
    loader = FakeLoader()
    loader.go.clear()
    cache = cache_in(ModelMemory(), loader)
    with cache.begin("a") as lease:
        progress = lease.progress(interval_s=0.01)
        assert next(progress) in ((0, 0), (1, 2))  # at once, however far it is
        assert loader.begun.wait(60)
        assert next(progress) == (1, 2)
        loader.go.set()
        assert set(progress) <= {(1, 2)}
        assert lease.model() is loader.made[0]
        assert list(lease.progress()) == []
    with cache.lease("a") as model:
        assert model is loader.made[0]


def test_a_load_that_fails_is_told_to_who_watches() -> None:
    cache = cache_in(ModelMemory(), FakeLoader(failures=[EngineFailed(engine="a", reason="broken")]))
    with cache.begin("a") as lease:
        list(lease.progress())
        with pytest.raises(EngineFailed, match="broken"):
            lease.model()
    assert cache.statuses() == ()


@pytest.mark.parametrize("keep_alive_s", [0.0, 300.0])
def test_a_load_that_nobody_waits_for_ends_as_any_other(keep_alive_s: float) -> None:
    loader, time = FakeLoader(), FakeTime()
    loader.go.clear()
    cache = build(loader, time, keep_alive_s)
    with cache.begin("a"):
        assert loader.begun.wait(60)
    with pytest.raises(ModelInUse):
        cache.memory.unload("fake", "a")
    with cache.begin("a") as lease:
        loader.go.set()
        model = lease.model()
        assert not model.is_closed
    time.advance(keep_alive_s)
    assert (model.is_closed, cache.statuses(), len(loader.made)) == (True, (), 1)


def test_an_abandoned_load_leaves_nothing_behind_when_nothing_is_kept() -> None:
    loader, closed = FakeLoader(), threading.Event()
    loader.go.clear()

    def load(files: Path, progress: LoadProgress) -> FakeModel:
        model = loader(files, progress)
        model.close = closed.set  # type: ignore[method-assign]
        return model

    cache = ModelCache(ModelMemory(0.0), ModelLoader("fake", load, Path))
    with cache.begin("a"):
        assert loader.begun.wait(60)
    loader.go.set()
    assert closed.wait(60)
    assert cache.statuses() == ()


def test_what_is_let_go_leaves_its_users_and_is_loaded_anew() -> None:
    loader = FakeLoader()
    cache = cache_in(ModelMemory(None), loader)
    cache.load("idle")
    with cache.lease("used") as used:
        loader.go.clear()
        loader.begun.clear()
        with cache.begin("loading") as loading:
            assert loader.begun.wait(60)
            cache.memory.let_go("fake")
            assert loader.made[0].is_closed
            assert cache.statuses() == ()
            loader.go.set()
            loaded = loading.model()
            assert not loaded.is_closed
        assert loaded.is_closed
        with cache.lease("used") as anew:
            assert anew is not used
        with pytest.raises(ModelInUse), cache.memory.keep_out([Path("/models/fake/used")]):
            pass
        assert not used.is_closed
    assert used.is_closed
    assert not anew.is_closed


@dataclass
class WarmingModel(FakeModel):
    warming: tuple[int, int] | None = (2, 5)


def test_what_a_model_makes_ready_in_the_background_is_told() -> None:
    cache = ModelCache(ModelMemory(None), ModelLoader("fake", lambda files, _progress: WarmingModel(files.name), Path))
    cache.load("a")
    assert [model.warming for model in cache.statuses()] == [(2, 5)]
    warming = cache.loaded("a")
    assert warming is not None
    warming.warming = None
    assert [model.warming for model in cache.statuses()] == [None]
    cache.memory.close()


@pytest.mark.parametrize("kind", [MemoryError, torch.OutOfMemoryError])
def test_too_little_memory_is_told_apart_while_a_model_loads_and_while_it_works(kind: type[Exception]) -> None:
    loader = FakeLoader(failures=[kind("no room")])
    cache = cache_in(ModelMemory(), loader)
    with pytest.raises(OutOfMemory):
        cache.load("one")
    with pytest.raises(OutOfMemory), cache.lease("one"):
        raise kind("no room")
    with cache.lease("one") as model:
        assert not model.is_closed


KINDS = ("qwen", "whisper", "speaker_encoder", "piper", "yourtts")


def test_five_kinds_share_one_budget_and_all_are_shown_and_unloaded(time: FakeTime) -> None:
    memory, loader = memory_of(time, budget=500), FakeLoader()
    caches = [cache_in(memory, loader, kind) for kind in KINDS]
    for cache in caches:
        cache.load("one")
    assert [(model.kind, model.key) for model in memory.statuses()] == [(kind, "one") for kind in reversed(KINDS)]
    assert [model.kind for model in memory.statuses("piper", "qwen")] == ["piper", "qwen"]
    with caches[0].lease("one"), caches[1].lease("one"):
        caches[4].load("two")  # of those that nobody uses, the speaker encoder was used longest ago
        assert {model.kind for model in memory.statuses()} == {*KINDS} - {"speaker_encoder"}
        assert [model.key for model in loader.made if model.is_closed] == ["one"]
    for model in memory.statuses():
        memory.unload(model.kind, model.key)
    assert memory.statuses() == ()
    assert all(model.is_closed for model in loader.made)


def test_a_small_model_of_another_kind_does_not_wait_for_a_large_one_to_load(time: FakeTime) -> None:
    memory, large, small = memory_of(time, budget=200), FakeLoader(), FakeLoader()
    large.go.clear()
    qwen, piper = cache_in(memory, large, "qwen"), cache_in(memory, small, "piper")
    with qwen.begin("large") as loading, qwen.begin("larger") as waiting:
        assert large.begun.wait(60)
        with piper.lease("voice"):
            with pytest.raises(MemoryBudgetFull):  # the large model's room counts while it loads
                piper.load("other")
            assert len(large.made) == 0
        large.go.set()
        assert loading.model().key == "large"
        assert waiting.model().key == "larger"  # one after another; the idle voice made room
    assert {model.key for model in memory.statuses()} == {"large", "larger"}


def test_what_lies_in_a_folder_is_kept_out_and_unloaded_whatever_its_kind() -> None:
    memory, folder, loader = ModelMemory(None), Path("/models/base"), FakeLoader()
    whole, encoder = (ModelCache(memory, ModelLoader(kind, loader, lambda _key: folder)) for kind in ("a", "b"))
    with encoder.lease("base"):
        with pytest.raises(ModelInUse), memory.keep_out([folder]):
            pass
        whole.load("base")
        with pytest.raises(ModelInUse):
            memory.unload_from(folder, "base")
        assert len(memory.statuses()) == 2
    with pytest.raises(ModelInMemory), memory.keep_out([folder.parent]):
        pass
    memory.unload_from(folder, "base")
    with pytest.raises(ModelNotLoaded):
        memory.unload_from(folder, "base")
    with memory.keep_out([folder]):
        for cache in (whole, encoder):
            with pytest.raises(ModelBeingChanged):
                cache.load("base")
    encoder.load("base")


def test_the_last_error_is_that_of_the_kinds_that_are_asked_for() -> None:
    memory, loader = ModelMemory(), FakeLoader(failures=[EngineFailed(engine="a", reason="broken")])
    first, second = cache_in(memory, loader, "first"), cache_in(memory, loader, "second")
    with pytest.raises(EngineFailed):
        first.load("a")
    second.load("a")
    assert "broken" in (memory.last_error("first") or "")
    assert memory.last_error("first", "second") is None
