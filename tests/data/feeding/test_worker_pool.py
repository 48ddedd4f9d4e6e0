"""Work in several processes: in order, bounded, and failing as plain Python would."""

import os

import pytest

from netwright.data.feeding.worker_pool import map_in_workers, worker_count
from netwright.errors import UserError


def double(number: int) -> int:
    if number == 7:
        raise UserError("seven is not allowed")
    if number == -1:
        os._exit(9)
    return 2 * number


def test_results_come_in_the_order_of_the_pieces():
    pieces = list(range(100, 130))
    assert list(map_in_workers(double, pieces, workers=2)) == [2 * number for number in pieces]


def test_few_pieces_start_no_process(monkeypatch):
    monkeypatch.setattr("netwright.data.feeding.worker_pool.ProcessPoolExecutor", None)
    assert list(map_in_workers(double, [1, 2, 3], workers=8)) == [2, 4, 6]


@pytest.mark.parametrize("workers", [1, 2])
def test_the_first_failure_in_order_is_the_one_that_is_raised(workers):
    results = map_in_workers(double, [1, 2, 3, 4, 5, 6, 7, 8, 7], workers=workers)
    with pytest.raises(UserError, match="seven"):
        list(results)


def test_a_killed_worker_is_one_clear_line():
    with pytest.raises(UserError, match=r"worker process was killed.*NETWRIGHT_WORKERS=1"):
        list(map_in_workers(double, [1, 2, 3, 4, 5, -1, 8], workers=2))


def test_pieces_are_taken_no_further_ahead_than_needed():
    taken = []

    def pieces():
        for number in range(100, 200):
            taken.append(number)
            yield number

    results = map_in_workers(double, pieces(), workers=2)
    next(results)
    assert len(taken) <= 8
    results.close()


def test_a_wish_for_workers_counts_and_none_means_every_processor():
    assert worker_count(3) == 3
    assert worker_count(0) >= 1
