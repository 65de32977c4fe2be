"""One speaks, the others wait their turn."""

from __future__ import annotations

from threading import Event, Thread

import pytest

from tts_core.domain.engine import never
from tts_core.domain.errors import Cancelled, QueueFull
from tts_core.domain.events import Queued
from tts_core.speech.queue import Place, SpeechQueue


def test_the_first_request_speaks_at_once_without_being_queued() -> None:
    assert list(SpeechQueue(2).join().wait(never)) == []


def test_requests_speak_in_the_order_they_came_and_hear_every_position() -> None:
    queue = SpeechQueue(3)
    first, second, third = (queue.join() for _ in range(3))
    second_wait, third_wait = second.wait(never), third.wait(never)
    assert next(second_wait) == Queued(1)
    assert next(third_wait) == Queued(2)
    first.leave()
    assert list(second_wait) == []
    assert next(third_wait) == Queued(1)
    second.leave()
    assert list(third_wait) == []


def test_a_waiting_thread_wakes_when_the_turn_before_it_leaves() -> None:
    queue = SpeechQueue(3)
    speaking = queue.join()
    order: list[str] = []
    queued = [Event(), Event()]
    threads = []
    for name, seen in zip("ab", queued, strict=True):
        threads.append(Thread(target=_take_turn, args=(queue.join(), name, seen, order)))
        threads[-1].start()
        assert seen.wait(60)
    speaking.leave()
    for thread in threads:
        thread.join(60)
    assert order == ["a", "b"]
    assert queue.waiting == 0


def test_who_gives_up_waiting_does_not_hold_up_the_next() -> None:
    queue = SpeechQueue(3)
    first, second, third = (queue.join() for _ in range(3))
    second.leave()
    first.leave()
    assert list(third.wait(never)) == []


def test_a_cancelled_wait_ends_with_cancelled() -> None:
    queue = SpeechQueue(1)
    queue.join()
    stopped = Event()
    waiting = queue.join().wait(stopped.is_set)
    assert next(waiting) == Queued(1)
    stopped.set()
    with pytest.raises(Cancelled):
        next(waiting)


def test_a_request_cancelled_before_its_turn_never_speaks() -> None:
    with pytest.raises(Cancelled):
        list(SpeechQueue(1).join().wait(lambda: True))


def test_a_full_queue_refuses_and_has_room_again_when_one_leaves() -> None:
    queue = SpeechQueue(1)
    first, _second = queue.join(), queue.join()
    with pytest.raises(QueueFull, match="1 requests are already waiting"):
        queue.join()
    with pytest.raises(QueueFull):
        queue.check_room()
    first.leave()
    queue.check_room()
    queue.join()


def test_leaving_twice_is_harmless() -> None:
    queue = SpeechQueue(1)
    first, second = queue.join(), queue.join()
    first.leave()
    first.leave()
    assert list(second.wait(never)) == []


def test_as_many_speak_as_all_of_them_allow() -> None:
    queue = SpeechQueue(4)
    allowed = [3, 3, 1, 3]
    turns = [queue.join(lambda place=place: allowed[place]) for place in range(4)]  # type: ignore[misc]
    waits = [turn.wait(never) for turn in turns]
    assert list(waits[0]) == list(waits[1]) == []
    assert (next(waits[2]), next(waits[3]), queue.waiting) == (Queued(1), Queued(2), 2)
    turns[0].leave()
    turns[1].leave()
    assert list(waits[2]) == []
    assert (next(waits[3]), queue.waiting) == (Queued(1), 1)
    allowed[2] = 3
    assert list(waits[3]) == []
    assert queue.waiting == 0


def test_those_that_may_speak_take_no_place_of_those_that_wait() -> None:
    queue = SpeechQueue(1)
    for _ in range(3):
        queue.join(lambda: 2)
    with pytest.raises(QueueFull):
        queue.join(lambda: 2)


def _take_turn(turn: Place, name: str, seen: Event, order: list[str]) -> None:
    for _ in turn.wait(never):
        seen.set()
    order.append(name)
    turn.leave()


def test_pools_do_not_wait_for_each_other_and_have_room_of_their_own() -> None:
    queue = SpeechQueue(max_waiting=1)
    for pool in ("qwen", "piper"):
        assert list(queue.join(pool=pool).wait(never)) == []
        assert next(queue.join(pool=pool).wait(never)) == Queued(1)
    for pool in ("qwen", "piper"):
        with pytest.raises(QueueFull):
            queue.join(pool=pool)
    queue.check_room("espeak")
    assert queue.waiting == 2


def test_the_background_waits_for_everyone_in_front_and_is_not_counted() -> None:
    queue = SpeechQueue(max_waiting=1)
    first, second = queue.join(), queue.join()
    behind = [queue.join_behind() for _ in range(3)]
    waits = [place.wait(never) for place in behind]
    assert (next(waits[0]), next(waits[1]), queue.waiting) == (Queued(2), Queued(3), 1)
    first.leave()
    assert list(second.wait(never)) == []
    assert next(waits[0]) == Queued(1)
    late = queue.join()
    assert (next(waits[0]), next(late.wait(never))) == (Queued(2), Queued(1))
    second.leave()
    late.leave()
    assert list(waits[0]) == []
    assert (next(waits[1]), queue.waiting) == (Queued(1), 0)


def test_the_background_is_wanted_while_somebody_waits_for_it() -> None:
    queue = SpeechQueue(max_waiting=0)
    behind = queue.join_behind()
    assert list(behind.wait(never)) == []
    assert not behind.is_wanted
    person = queue.join()  # there is room, as only the background speaks
    coming = person.wait(never)
    assert (next(coming), behind.is_wanted) == (Queued(1), True)
    behind.step_back()
    assert list(coming) == []
    assert not behind.is_wanted
    again = behind.wait(never)
    assert next(again) == Queued(1)
    person.leave()
    assert list(again) == []


def test_the_background_leaves_a_place_free_where_there_are_several() -> None:
    queue = SpeechQueue(max_waiting=4)
    behind = [queue.join_behind(lambda: 4) for _ in range(4)]
    waits = [place.wait(never) for place in behind]
    assert list(waits[0]) == list(waits[1]) == list(waits[2]) == []
    assert next(waits[3]) == Queued(1)
    assert list(queue.join(lambda: 4).wait(never)) == []  # at once
    assert not any(place.is_wanted for place in behind)
    queue.join(lambda: 4)
    assert [place.is_wanted for place in behind] == [False, False, True, False]  # the newest that speaks
    queue.join(lambda: 1)  # a model that is not in memory speaks alone
    assert [place.is_wanted for place in behind] == [True, True, True, False]
