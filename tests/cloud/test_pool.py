"""Which environment gets a request, when it is ended, and when a request is refused."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from infra.cloud.pool import Concurrency, Pool, ScalingRate
from infra.cloud.settings import CloudSettings
from warmer.errors import ConfigurationError, Throttled

Settings = Callable[..., CloudSettings]


@dataclass
class Item:
    """Stands for an environment."""

    key: str = "a"
    born: float = 0.0
    idle_since: float = 0.0
    kept: bool = False
    rank: int = 1


@pytest.mark.aws(
    "Lambda developer guide: Understanding the Lambda execution environment lifecycle",
    "Which idle environment gets a request is unpublished; here the most recently used",
)
def test_the_most_recently_used_environment_comes_first(cloud_settings: Settings) -> None:
    """Of several idle environments the one that became idle last is taken."""
    pool: Pool[Item] = Pool(cloud_settings())
    first, second = Item(), Item()
    pool.put(first, 1.0)
    pool.put(second, 2.0)
    assert [pool.take("a"), pool.take("a"), pool.take("a")] == [second, first, None]


@pytest.mark.aws(
    "Lambda developer guide: Understanding the Lambda execution environment lifecycle",
    "Any other choice of the idle environment: random routing",
    how="option",
)
def test_random_routing_takes_any(cloud_settings: Settings) -> None:
    """With routing "random" every idle environment gets requests."""
    pool: Pool[Item] = Pool(cloud_settings(routing="random"))
    for number in range(3):
        pool.put(Item(born=number), 1.0)
    taken: set[float] = set()
    while len(taken) < 3:
        item = pool.take("a")
        assert item is not None
        taken.add(item.born)
        pool.put(item, 1.0)
    assert taken == {0, 1, 2}


def test_random_routing_can_be_repeated(cloud_settings: Settings) -> None:
    """With the same seed the same environments are taken in the same order."""

    def order(seed: int) -> list[float]:
        pool: Pool[Item] = Pool(cloud_settings(routing="random", seed=seed))
        for number in range(20):
            pool.put(Item(born=number), 1.0)
        taken = [pool.take("a") for _ in range(20)]
        return [item.born for item in taken if item is not None]

    assert order(7) == order(7)
    assert order(7) != order(8)


def test_the_lowest_rank_is_taken_first(cloud_settings: Settings) -> None:
    """Provisioned environments come before others, parked ones last, each lot by last use."""
    pool: Pool[Item] = Pool(cloud_settings())
    parked, provisioned, older, newer = Item(rank=2), Item(rank=0), Item(), Item()
    for moment, item in enumerate((provisioned, older, newer, parked)):
        pool.put(item, float(moment))
    assert [pool.take("a") for _ in range(4)] == [provisioned, newer, older, parked]


def test_a_kept_environment_ends_only_at_its_maximum_lifetime(cloud_settings: Settings) -> None:
    """The idle lifetime does not apply to what is provisioned or parked."""
    pool: Pool[Item] = Pool(cloud_settings(idle_seconds=10, max_lifetime_seconds=60))
    item = Item(kept=True)
    pool.put(item, 1.0)
    assert pool.next_expiry() == 60.0
    assert pool.remove_expired(60.0) == [(item, "lifetime")]


def test_environments_serve_only_their_own_key(cloud_settings: Settings) -> None:
    """An idle environment of another version is not taken."""
    pool: Pool[Item] = Pool(cloud_settings())
    pool.put(Item("b"), 1.0)
    assert pool.take("a") is None


def test_idle_lifetime_counts_from_the_last_use(cloud_settings: Settings) -> None:
    """An environment expires T after it became idle, not after it was made."""
    pool: Pool[Item] = Pool(cloud_settings(idle_seconds=10))
    item = Item(born=0.0)
    pool.put(item, 100.0)
    assert pool.next_expiry() == 110.0
    assert pool.remove_expired(109.9) == []
    assert pool.remove_expired(110.0) == [(item, "idle")]
    assert pool.next_expiry() == math.inf


def test_maximum_lifetime_ends_an_environment_that_is_used(cloud_settings: Settings) -> None:
    """Past the maximum lifetime an environment is ended however lately it was used."""
    pool: Pool[Item] = Pool(cloud_settings(idle_seconds=10, max_lifetime_seconds=60))
    item = Item(born=0.0)
    pool.put(item, 55.0)
    assert pool.next_expiry() == 60.0
    assert not pool.outlived(item, 59.0)
    assert pool.remove_expired(60.0) == [(item, "lifetime")]


def test_remove_takes_only_what_is_asked_for(cloud_settings: Settings) -> None:
    """Removing by condition leaves the others idle, in their order."""
    pool: Pool[Item] = Pool(cloud_settings())
    kept, removed = Item("a"), Item("b")
    pool.put(kept, 1.0)
    pool.put(removed, 2.0)
    assert pool.remove(lambda item: item.key == "b") == [removed]
    assert pool.idle() == [kept]


def test_reserved_concurrency_is_a_limit() -> None:
    """A function with reserved concurrency 2 gets a third request refused, until one has ended."""
    concurrency = Concurrency(1000)
    concurrency.enter("f", 2)
    concurrency.enter("f", 2)
    with pytest.raises(Throttled) as refused:
        concurrency.enter("f", 2)
    assert refused.value.reason == "ReservedFunctionConcurrentInvocationLimitExceeded"
    concurrency.leave("f")
    concurrency.enter("f", 2)


@pytest.mark.aws(
    "Lambda developer guide: Configuring reserved concurrency for a function",
    "Reserved concurrency 0 switches a function off",
)
def test_reserved_concurrency_zero_refuses_everything() -> None:
    """Reserved concurrency 0 switches a function off."""
    with pytest.raises(Throttled):
        Concurrency(1000).enter("f", 0)


def test_account_concurrency_counts_all_functions() -> None:
    """The account's limit is over requests of all functions together."""
    concurrency = Concurrency(2)
    concurrency.enter("f", None)
    concurrency.enter("g", None)
    with pytest.raises(Throttled) as refused:
        concurrency.enter("h", None)
    assert refused.value.reason == "ConcurrentInvocationLimitExceeded"


@pytest.mark.aws(
    "Lambda developer guide: Configuring reserved concurrency for a function",
    "What is reserved for one function others cannot use",
)
def test_what_is_reserved_for_others_is_not_there() -> None:
    """The account's concurrency is less what other functions have reserved, used or not."""
    concurrency = Concurrency(3)
    concurrency.reserve("f", 2)
    concurrency.enter("g")
    with pytest.raises(Throttled) as refused:
        concurrency.enter("g")
    assert refused.value.reason == "ConcurrentInvocationLimitExceeded"
    concurrency.enter("f")
    concurrency.enter("f")
    with pytest.raises(Throttled) as refused:
        concurrency.enter("f")
    assert refused.value.reason == "ReservedFunctionConcurrentInvocationLimitExceeded"
    concurrency.reserve("f", None)
    concurrency.leave("f")
    concurrency.enter("g")


def test_provisioned_concurrency_is_the_functions_own() -> None:
    """What is provisioned is set aside too, and the function may go beyond it while there is."""
    concurrency = Concurrency(3)
    concurrency.provision("f", 1)
    concurrency.enter("g")
    concurrency.enter("g")
    with pytest.raises(Throttled):
        concurrency.enter("g")
    concurrency.enter("f")
    with pytest.raises(Throttled):
        concurrency.enter("f")
    concurrency.leave("g")
    concurrency.enter("f")


@pytest.mark.aws(
    "Lambda developer guide: Lambda scaling behavior", "The scaling rate refills continuously"
)
def test_the_scaling_rate_refills_continuously() -> None:
    """A function may get its rate at once, then a tenth of it each second; others have their own.

    AWS Lambda developer guide, "Lambda scaling behavior".
    """
    rate = ScalingRate(100)
    for _ in range(100):
        rate.take("f", 0.0)
    with pytest.raises(Throttled) as refused:
        rate.take("f", 0.05)
    assert refused.value.reason == ""
    rate.take("g", 0.05)
    for _ in range(10):
        rate.take("f", 1.0)
    with pytest.raises(Throttled):
        rate.take("f", 1.0)
    for _ in range(100):
        rate.take("f", 1000.0)
    with pytest.raises(Throttled):
        rate.take("f", 1000.0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"idle_seconds": 0},
        {"idle_seconds": math.nan},
        {"init_limit_seconds": -1},
        {"max_lifetime_seconds": 0},
        {"account_concurrency": 0},
        {"routing": "round-robin"},
        {"isolation": "docker"},
        {"restore_limit_seconds": 0},
        {"scaling_rate": 0},
        {"memory_limit": "maybe"},
        {"cpu": "half"},
    ],
)
def test_settings_that_cannot_be_used_are_refused(
    cloud_settings: Settings, wrong: dict[str, object]
) -> None:
    """A wrong setting is refused when it is made, by its name."""
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        cloud_settings(**wrong)
