"""The text of a metric math expression, parsed; nothing of it is ever run as Python."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from infra.cloud.metric_math import (
    FUNCTIONS,
    OPERATORS,
    Arguments,
    Series,
    Value,
    negate,
    refused,
)

__all__ = ["Expression", "Scope", "parse"]

# Amazon CloudWatch API reference, MetricDataQuery.
_LONGEST = 2048
_DEEPEST = 50
_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+)|(?P<name>[A-Za-z]\w*)"
    r"|\"(?P<string>[^\"]*)\"|'(?P<quoted>[^']*)'"
    r"|(?P<sign>==|!=|<=|>=|&&|\|\||[-+*/^<>(),\[\]]))",
    re.ASCII,
)
_SAME = {"&&": "AND", "||": "OR"}
# Binds more tightly than any operator but `^`.
_UNARY = OPERATORS["*"][0]


@dataclass(frozen=True)
class Scope:
    """What an expression can name.

    values: the results of metrics and of other expressions, by id. metrics: those that METRICS()
    lists, which are no results of expressions. span: what TIME_SERIES covers.
    """

    values: Mapping[str, Series | list[Series]]
    metrics: Mapping[str, Series]
    span: range


Node: TypeAlias = Callable[[Scope], Value]


@dataclass(frozen=True)
class Expression:
    """A parsed expression; `names` are the ids that it needs."""

    text: str
    names: frozenset[str]
    node: Node

    def evaluate(self, scope: Scope) -> list[Series]:
        """The one or more series that it gives; ConfigurationError where it gives a scalar."""
        value = self.node(scope)
        if isinstance(value, Series):
            return [value]
        if isinstance(value, list):
            return value
        raise refused(self.text, "an expression that gives a time series; this gives a scalar")


def parse(text: str) -> Expression:
    """Parse an expression.

    Raises ConfigurationError, with what is supported, for bad syntax and unknown functions.
    """
    if len(text) > _LONGEST:
        raise refused(f"{text[:40]}...", f"at most {_LONGEST} characters")
    return _Parser(text).expression()


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = _tokens(text)
        self._next = 0
        self._depth = 0
        self._names: set[str] = set()

    def expression(self) -> Expression:
        node = self._binary(1)
        if self._next < len(self._tokens):
            raise self._unexpected()
        return Expression(self._text, frozenset(self._names), node)

    def _binary(self, lowest: int) -> Node:
        """Operators that bind at least as tightly as `lowest`, by precedence climbing."""
        self._depth += 1
        if self._depth > _DEEPEST:
            raise refused(self._text, f"at most {_DEEPEST} levels of nesting")
        left = self._operand()
        while (sign := self._operator()) is not None and OPERATORS[sign][0] >= lowest:
            self._next += 1
            rank, apply = OPERATORS[sign]
            right = self._binary(rank if sign == "^" else rank + 1)
            left = _applied(apply, left, right)
        self._depth -= 1
        return left

    def _operator(self) -> str | None:
        kind, text = self._peek()
        sign = _SAME.get(text, text)
        return sign if kind in ("sign", "name") and sign in OPERATORS else None

    def _operand(self) -> Node:
        kind, text = self._peek()
        self._next += 1
        if kind == "number":
            number = float(text)
            return lambda _: number
        if kind in ("string", "quoted"):
            return lambda _: text
        if kind == "name":
            return self._named(text)
        if text == "-":
            operand = self._binary(_UNARY)
            return lambda scope: negate(operand(scope))
        if text == "(":
            inner = self._binary(1)
            self._expect(")")
            return inner
        if text == "[":
            return _array(self._list("]"))
        self._next -= 1
        raise self._unexpected()

    def _named(self, name: str) -> Node:
        if self._peek()[1] == "(":
            self._next += 1
            return self._call(name)
        if name in ("REPEAT", "LINEAR"):  # how to fill
            return lambda _: name
        if not name[0].islower():
            raise refused(name, "ids that begin with a lowercase letter")
        self._names.add(name)
        return lambda scope: _value(scope, name)

    def _call(self, name: str) -> Node:
        if name not in FUNCTIONS:
            raise refused(f"{name}(...)", f"a function of {', '.join(FUNCTIONS)}")
        least, most, function = FUNCTIONS[name]
        given = self._list(")")
        if not least <= len(given) <= most:
            count = str(least) if least == most else f"{least} to {most}"
            raise refused(f"{name} with {len(given)} arguments", f"{count} arguments")

        def call(scope: Scope) -> Value:
            values = tuple(node(scope) for node in given)
            return function(Arguments(name, values, scope.span, scope.metrics))

        return call

    def _list(self, end: str) -> list[Node]:
        nodes: list[Node] = []
        while self._peek()[1] != end:
            if nodes:
                self._expect(",")
            nodes.append(self._binary(1))
        self._next += 1
        return nodes

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._next] if self._next < len(self._tokens) else ("end", "")

    def _expect(self, sign: str) -> None:
        if self._peek() != ("sign", sign):
            raise self._unexpected(f"; {sign} would go on")
        self._next += 1

    def _unexpected(self, hint: str = "") -> Exception:
        kind, text = self._peek()
        found = "it ends too early" if kind == "end" else f"{text!r} is out of place"
        return refused(self._text, f"metric ids, numbers, functions and operators: {found}{hint}")


def _tokens(text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    position = 0
    while text[position:].strip():
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            rest = text[position:].strip()
            raise refused(text, f"metric math; it cannot be read from {rest[:20]!r} on")
        found.append((match.lastgroup, match[match.lastgroup]))
        position = match.end()
    return found


def _applied(apply: Callable[[Value, Value], Value], left: Node, right: Node) -> Node:
    return lambda scope: apply(left(scope), right(scope))


def _array(nodes: list[Node]) -> Node:
    def array(scope: Scope) -> Value:
        items: list[Series] = []
        for node in nodes:
            value = node(scope)
            if not isinstance(value, Series | list):
                raise refused(f"{value!r} in [...]", "time series")
            items += value if isinstance(value, list) else [value]
        return items

    return array


def _value(scope: Scope, name: str) -> Value:
    try:
        return scope.values[name]
    except KeyError:
        known = ", ".join(scope.values) or "none"
        raise refused(name, f"the id of another query (there are: {known})") from None
