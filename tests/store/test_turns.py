"""Who waits: tenants in turns, each tenant's in order, and a place is left for the next tenant."""

from service.store.turns import Lines, Shares


def lines(*waiting: str) -> Lines[str]:
    """`a1` is the first of tenant `a`."""
    lines = Lines[str]()
    for one in waiting:
        lines.put(one[0], one)
    return lines


def taken(lines: Lines[str]) -> list[str]:
    return [found[1] for _ in range(len(lines)) if (found := lines.take()) is not None]


def test_of_one_tenant_who_came_first_is_first() -> None:
    assert taken(lines("a1", "a2", "a3")) == ["a1", "a2", "a3"]


def test_tenants_take_turns_however_many_of_one_wait() -> None:
    assert taken(lines("a1", "a2", "a3", "a4", "b1", "c1", "b2")) == ["a1", "b1", "c1", "a2", "b2", "a3", "a4"]


def test_who_may_not_is_passed_over_and_keeps_its_turn() -> None:
    waiting = lines("a1", "a2", "b1")
    assert waiting.take(lambda tenant: tenant != "a") == ("b", "b1")
    assert waiting.take(lambda tenant: tenant != "a") is None
    assert len(waiting) == 2
    assert taken(waiting) == ["a1", "a2"]


def test_what_is_put_back_is_its_tenants_next() -> None:
    waiting = lines("a1", "a2")
    assert waiting.take() == ("a", "a1")
    waiting.put_back("a", "a1")
    waiting.put_back("b", "b1")
    assert taken(waiting) == ["a1", "b1", "a2"]


def test_the_longest_line_loses_its_last() -> None:
    waiting = lines("a1", "b1", "b2")
    assert waiting.longest() == "b"
    assert waiting.drop_last("b") == "b2"
    assert (len(waiting), waiting.of("b"), waiting.of("nobody")) == (2, 1, 0)


def test_no_tenant_has_every_place_but_the_service_may() -> None:
    shares = Shares(3)
    for tenant in ("a", "a", "", "", ""):
        assert shares.may(tenant)
        shares.begin(tenant)
    assert (shares.may("a"), shares.may("b"), shares.may("")) == (False, True, True)
    shares.end("a")
    assert shares.may("a")


def test_where_there_is_one_place_it_is_for_everybody() -> None:
    shares = Shares(1)
    assert shares.may("a")
    shares.begin("a")
    assert not shares.may("a")
