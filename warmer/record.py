"""Frozen records at no import cost.

`dataclasses` imports `inspect` (8 ms) and `typing.NamedTuple` imports `typing` (3 ms) and compiles
each class (0.5 ms). What ships in every warmed function does with this instead; elsewhere
dataclasses are fine.
"""

from __future__ import annotations

TYPE_CHECKING = False  # type checkers know the name; importing `typing` for it would take 3 ms
if TYPE_CHECKING:
    from typing import dataclass_transform
else:

    def dataclass_transform(**_):  # noqa: ANN003, ANN201 - typed above
        """Tells type checkers only that subclasses are made like dataclasses."""
        return lambda decorated: decorated


@dataclass_transform(frozen_default=True)
class Record:
    """A record whose fields are the annotated attributes of its class, in their order.

    A class attribute is its field's default. Records are frozen, compare by type and value, and
    show their fields. Raises TypeError for a field that is unknown, missing or given twice.
    """

    _names: tuple[str, ...] = ()

    def __init_subclass__(cls) -> None:
        cls._names = tuple(cls.__annotations__)

    def __init__(self, *values: object, **named: object) -> None:
        given = dict(zip(self._names, values, strict=False))
        kind = type(self)
        if len(values) > len(self._names) or given.keys() & named.keys():
            raise TypeError(f"{kind.__name__} takes each of {', '.join(self._names)} once")
        given.update(named)
        for name in self._names:
            if name not in given and not hasattr(kind, name):
                raise TypeError(f"{kind.__name__} lacks {name}")
            self.__dict__[name] = given.pop(name) if name in given else getattr(kind, name)
        if given:
            raise TypeError(f"{kind.__name__} has no field {', '.join(given)}")

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen: {name} cannot be set")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen: {name} cannot be deleted")

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.__dict__ == self.__dict__

    def __hash__(self) -> int:
        return hash(tuple(self.__dict__.values()))

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self.__dict__.items())
        return f"{type(self).__name__}({shown})"

    def fields(self) -> dict[str, object]:
        """The values by field name, in order."""
        return dict(self.__dict__)
