"""Models are loaded once, kept as long as the setting says, and put out when room is needed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field

import pytest
import torch

from tts_core.domain.errors import EngineFailed, MemoryBudgetFull, ModelInUse, ModelNotLoaded, OutOfMemory
from tts_core.models.memory import CachePolicy, ModelMemory, Progress


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

    def __call__(self, key: str, progress: Progress) -> FakeModel:
        progress(1, 2)
        self.begun.set()
        assert self.go.wait(60)
        if self.failures:
            raise self.failures.pop()
        self.made.append(FakeModel(key))
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


def build(loader: FakeLoader, time: FakeTime, policy: CachePolicy | None = None) -> ModelMemory[FakeModel]:
    return ModelMemory(loader, policy, schedule=time.schedule, clock=time.clock)


def keys(cache: ModelMemory[FakeModel]) -> list[str]:
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
    assert "broken" in (cache.last_error or "")
    with cache.lease("a") as model:
        assert model.key == "a"
    assert cache.last_error is None


def test_an_idle_model_goes_after_its_time(loader: FakeLoader, time: FakeTime) -> None:
    cache = build(loader, time, CachePolicy(keep_alive_s=300))
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
    cache = build(loader, time, CachePolicy(keep_alive_s=300))
    with cache.lease("a") as model:
        time.advance(1000)
        assert not model.is_closed
    time.advance(300)
    assert model.is_closed


def test_zero_frees_at_once_and_none_never(loader: FakeLoader, time: FakeTime) -> None:
    at_once, never = build(loader, time, CachePolicy(keep_alive_s=0)), build(loader, time, CachePolicy(None))
    at_once.load("a")
    never.load("b")
    time.advance(1e9)
    assert (keys(at_once), keys(never)) == ([], ["b"])
    assert [model.is_closed for model in loader.made] == [True, False]


def test_a_model_in_use_cannot_be_unloaded(loader: FakeLoader, time: FakeTime) -> None:
    cache = build(loader, time)
    with cache.lease("a") as model, cache.lease("a"):
        with pytest.raises(ModelInUse) as refused:
            cache.unload("a")
        assert refused.value.params == {"key": "a", "users": 2}
    cache.unload("a")
    assert model.is_closed
    with pytest.raises(ModelNotLoaded):
        cache.unload("a")


def test_the_longest_unused_models_make_room(loader: FakeLoader, time: FakeTime) -> None:
    cache = build(loader, time, CachePolicy(budget_bytes=lambda: 250, size_of=lambda _key: 100))
    for key in ("a", "b", "a", "c"):
        cache.load(key)
    assert keys(cache) == ["c", "a"]
    assert [model.key for model in loader.made if model.is_closed] == ["b"]


def test_models_in_use_are_not_put_out(loader: FakeLoader, time: FakeTime) -> None:
    cache = build(loader, time, CachePolicy(budget_bytes=lambda: 150, size_of=lambda _key: 100))
    with cache.lease("a") as model:
        with pytest.raises(MemoryBudgetFull):
            cache.load("b")
        assert not model.is_closed
    cache.load("b")
    assert keys(cache) == ["b"]


def test_a_model_larger_than_the_budget_may_try_alone(loader: FakeLoader, time: FakeTime) -> None:
    cache = build(loader, time, CachePolicy(budget_bytes=lambda: 50, size_of=lambda _key: 100))
    cache.load("a")
    assert keys(cache) == ["a"]


def test_closing_frees_idle_models_now_and_others_when_given_back(loader: FakeLoader, time: FakeTime) -> None:
    cache = build(loader, time, CachePolicy(None))
    with ExitStack() as leases:
        held = leases.enter_context(cache.lease("a"))
        cache.load("b")
        cache.close()
        assert [model.is_closed for model in loader.made] == [False, True]
        assert not held.is_closed
    assert held.is_closed


def test_a_load_can_be_watched() -> None:
    loader = FakeLoader()
    loader.go.clear()
    cache = ModelMemory(loader)
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
    cache = ModelMemory(FakeLoader(failures=[EngineFailed(engine="a", reason="broken")]))
    with cache.begin("a") as lease:
        list(lease.progress())
        with pytest.raises(EngineFailed, match="broken"):
            lease.model()
    assert cache.statuses() == ()


@pytest.mark.parametrize("keep_alive_s", [0.0, 300.0])
def test_a_load_that_nobody_waits_for_ends_as_any_other(keep_alive_s: float) -> None:
    loader, time = FakeLoader(), FakeTime()
    loader.go.clear()
    cache = ModelMemory(loader, CachePolicy(keep_alive_s), schedule=time.schedule, clock=time.clock)
    with cache.begin("a"):
        assert loader.begun.wait(60)
    with pytest.raises(ModelInUse):
        cache.unload("a")
    with cache.begin("a") as lease:
        loader.go.set()
        model = lease.model()
        assert not model.is_closed
    time.advance(keep_alive_s)
    assert (model.is_closed, cache.statuses(), len(loader.made)) == (True, (), 1)


def test_an_abandoned_load_leaves_nothing_behind_when_nothing_is_kept() -> None:
    loader, closed = FakeLoader(), threading.Event()
    loader.go.clear()

    def load(key: str, progress: Progress) -> FakeModel:
        model = loader(key, progress)
        model.close = closed.set  # type: ignore[method-assign]
        return model

    cache = ModelMemory(load, CachePolicy(0.0))
    with cache.begin("a"):
        assert loader.begun.wait(60)
    loader.go.set()
    assert closed.wait(60)
    assert cache.statuses() == ()


def test_what_is_let_go_leaves_its_users_and_is_loaded_anew() -> None:
    loader = FakeLoader()
    cache = ModelMemory(loader, CachePolicy(keep_alive_s=None))
    cache.load("idle")
    with cache.lease("used") as used:
        loader.go.clear()
        loader.begun.clear()
        with cache.begin("loading") as loading:
            assert loader.begun.wait(60)
            cache.let_go()
            assert loader.made[0].is_closed
            assert cache.statuses() == ()
            loader.go.set()
            loaded = loading.model()
            assert not loaded.is_closed
        assert loaded.is_closed
        with cache.lease("used") as anew:
            assert anew is not used
        with pytest.raises(ModelInUse), cache.keep_out(["used"]):
            pass
        assert not used.is_closed
    assert used.is_closed
    assert not anew.is_closed


@dataclass
class WarmingModel(FakeModel):
    warming: tuple[int, int] | None = (2, 5)


def test_what_a_model_makes_ready_in_the_background_is_told() -> None:
    cache = ModelMemory(lambda key, _progress: WarmingModel(key), CachePolicy(keep_alive_s=None))
    cache.load("a")
    assert [model.warming for model in cache.statuses()] == [(2, 5)]
    warming = cache.loaded("a")
    assert warming is not None
    warming.warming = None
    assert [model.warming for model in cache.statuses()] == [None]
    cache.close()


@pytest.mark.parametrize("kind", [MemoryError, torch.OutOfMemoryError])
def test_too_little_memory_is_told_apart_while_a_model_loads_and_while_it_works(kind: type[Exception]) -> None:
    loader = FakeLoader(failures=[kind("no room")])
    cache = ModelMemory(loader)
    with pytest.raises(OutOfMemory):
        cache.load("one")
    with pytest.raises(OutOfMemory), cache.lease("one"):
        raise kind("no room")
    with cache.lease("one") as model:
        assert not model.is_closed
