"""Frozen records."""

from __future__ import annotations

import pytest

from warmer.record import Record


class Point(Record):
    """A record with a default."""

    x: int
    y: int = 2


def test_fields_come_by_position_or_name_with_defaults() -> None:
    """A record is made like a dataclass."""
    assert Point(1).fields() == Point(x=1, y=2).fields() == {"x": 1, "y": 2}


def test_records_compare_by_type_and_value() -> None:
    """Equal values make equal records, with equal hashes."""
    assert Point(1) == Point(1, 2)
    assert hash(Point(1)) == hash(Point(1, 2))
    assert Point(1) != Point(2)


def test_records_are_frozen() -> None:
    """No field can be set or deleted afterwards."""
    point = Point(1)
    with pytest.raises(AttributeError, match="frozen"):
        setattr(point, "x", 5)  # noqa: B010 - the type checker refuses the plain spelling
    with pytest.raises(AttributeError, match="frozen"):
        del point.x


def test_records_show_their_fields() -> None:
    """The representation is the call that makes it."""
    assert repr(Point(1)) == "Point(x=1, y=2)"


@pytest.mark.parametrize("values", [(), (1, 2, 3)])
def test_a_record_needs_all_its_fields_and_no_more(values: tuple[int, ...]) -> None:
    """A missing or surplus value is a TypeError."""
    with pytest.raises(TypeError):
        Point(*values)


@pytest.mark.parametrize("named", [{"z": 1}, {"x": 1}])
def test_a_record_refuses_unknown_and_repeated_fields(named: dict[str, int]) -> None:
    """A name that is no field, or is given twice, is a TypeError."""
    with pytest.raises(TypeError):
        Point(1, **named)
