"""One module's source, with some of its imports put off until they are used.

Nothing else changes: a name that such an import binds is found by the module's `__getattr__`
(PEP 562) when it is first asked for, and functions that use it import it themselves. Where that
cannot be shown from the source to come to the same, the module is left as it is.
"""

from __future__ import annotations

import ast
import symtable
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

__all__ = ["ADDED_NAMES", "Deferral", "DoesNotFit", "Record", "defer_imports"]

ADDED_NAMES = frozenset({"__deferred_imports__", "__import_deferred__", "__getattr__", "__dir__"})
"""What a module with deferred imports may have more than it had."""

_Home = tuple[str, str | None]
_Scope = ast.FunctionDef | ast.AsyncFunctionDef
_Branch = ast.If | ast.For | ast.While | ast.With | ast.Try | ast.ExceptHandler


@dataclass(frozen=True)
class Deferral:
    """Imports of `module` (a dotted name) to put off.

    `imports` are absolute names of modules; `numpy.lib` stands for those below it too. `why` says
    who needs them.
    """

    module: str
    imports: tuple[str, ...]
    why: str


@dataclass(frozen=True)
class Record:
    """A module that was imported: what `dir` listed, its `__all__`, if it has one, and those of its
    names that are its own submodules, which an import binds by the way."""

    listed: frozenset[str]
    exported: Sequence[str] | None
    submodules: frozenset[str]


class DoesNotFit(Exception):
    """The source is not as a deferral expects; the message says how."""


def defer_imports(
    source: str,
    deferral: Deferral,
    *,
    package: bool,
    record: Record,
) -> str:
    """The source of `deferral.module` with its imports put off.

    `package`: it is an `__init__.py`. `record` is what a run of the original has shown.

    Raises:
        DoesNotFit: an import is not there, or what it binds is needed while the module is imported.
    """
    return _Module(source, deferral, package).rewritten(record)


@dataclass
class _Edit:
    """Text for the lines from `first` to `last`, or before `first` where `last` is less."""

    first: int
    last: int
    lines: list[str] = field(default_factory=list)


class _Module:
    def __init__(self, source: str, deferral: Deferral, package: bool) -> None:
        self._deferral = deferral
        self._source = source
        self._tree = ast.parse(source)
        self._parts = deferral.module.split(".") if package else deferral.module.split(".")[:-1]
        self._homes: dict[str, _Home] = {}
        self._edits: list[_Edit] = []
        self._met: set[str] = set()

    def rewritten(self, record: Record) -> str:
        removed: list[ast.stmt] = []
        for node in _at_import(self._tree):
            if node not in removed and self._remove(node):
                removed += [node, *getattr(node, "body", ()), *_fallbacks(node)]
        missed = [name for name in self._deferral.imports if name not in self._met]
        if missed:
            raise DoesNotFit(f"it does not import {', '.join(missed)}")
        skipped = {id(node) for node in (*removed, *self._fix_exported(record.exported))}
        self._check_use(skipped)
        self._import_in_functions()
        has_getattr = self._extend_getattr()
        for name in record.submodules - self._homes.keys():
            self._homes[name] = (f"{self._deferral.module}.{name}", None)
        listed = sorted(self._homes.keys() & record.listed)
        return self._apply() + _tail(self._homes, listed, own_getattr=has_getattr)

    def _remove(self, node: ast.stmt) -> bool:
        """Take the deferred part out of an import; whether there was one.

        An import with nothing but names for where it fails is taken with these: it does not fail in
        the run that follows.
        """
        if isinstance(node, ast.Try):
            (only,) = node.body if len(node.body) == 1 else (None,)
            if not isinstance(only, ast.Import) or not _fallbacks(node):
                return False
            if not all(self._take(only, alias) for alias in only.names):
                return False
            self._replace(node, "pass")
            return True
        if not isinstance(node, ast.Import | ast.ImportFrom):
            return False
        kept = [alias for alias in node.names if not self._take(node, alias)]
        if len(kept) == len(node.names):
            return False
        replacement = "pass"
        if kept:
            rest = type(node)(**{**dict(ast.iter_fields(node)), "names": kept})
            replacement = ast.unparse(rest)
        self._replace(node, replacement)
        return True

    def _take(self, node: ast.Import | ast.ImportFrom, alias: ast.alias) -> bool:
        if isinstance(node, ast.Import):
            bound, known = alias.asname or alias.name, self._known(alias.name)
            home: _Home = (alias.name, None)
            if known and alias.asname is None and "." in alias.name:
                raise DoesNotFit(f"line {node.lineno} binds a part of {alias.name}")
        else:
            base = self._absolute(node)
            bound, home = alias.asname or alias.name, (base, alias.name)
            known = self._known(base)
            if not known and (known := self._known(f"{base}.{alias.name}")):
                home = (f"{base}.{alias.name}", None)
            if known and alias.name == "*":
                raise DoesNotFit(f"line {node.lineno} imports all names of {base}")
        if not known:
            return False
        self._met.add(known)
        self._homes[bound] = home
        return True

    def _absolute(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        parts = self._parts[: len(self._parts) - node.level + 1]
        return ".".join([*parts, node.module] if node.module else parts)

    def _known(self, module: str) -> str:
        """The entry of the deferral that covers a module, or ""."""
        for name in self._deferral.imports:
            if module == name or module.startswith(f"{name}."):
                return name
        return ""

    def _fix_exported(self, exported: Sequence[str] | None) -> Iterator[ast.stmt]:
        """Write `__all__` out where it is computed from what is deferred."""
        for node in _at_import(self._tree):
            if (
                isinstance(node, ast.Assign)
                and ast.unparse(node.targets[0]) == "__all__"
                and any(name.id in self._homes for name in _names(node.value))
            ):
                if exported is None:
                    raise DoesNotFit("its __all__ was not recorded")
                self._replace(node, f"__all__ = {sorted(exported)!r}")
                yield node

    def _check_use(self, skipped: set[int]) -> None:
        """Raise DoesNotFit where a deferred name is used, or bound again, during the import."""
        for node in _at_import(self._tree):
            if id(node) in skipped:
                continue
            for name in _evaluated(node):
                if name.id in self._homes:
                    raise DoesNotFit(f"line {name.lineno} uses {name.id} during the import")
            if isinstance(node, _Scope | ast.ClassDef) and node.name in self._homes:
                raise DoesNotFit(f"line {node.lineno} defines {node.name}")
            if isinstance(node, ast.Import | ast.ImportFrom):
                again = {alias.asname or alias.name for alias in node.names} & self._homes.keys()
                if again:
                    raise DoesNotFit(f"line {node.lineno} imports {min(again)} from elsewhere")

    def _import_in_functions(self) -> None:
        """Give functions that use deferred names imports of their own."""
        table = symtable.symtable(self._source, self._deferral.module, "exec")
        scopes = {
            (scope.get_name(), scope.get_lineno()): scope
            for scope in _outermost(table)
            if isinstance(scope, symtable.Function)
        }
        for node in _functions(self._tree):
            first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
            scope = scopes.get((node.name, node.lineno)) or scopes.get((node.name, first))
            if scope is None:
                raise DoesNotFit(f"line {node.lineno}: no symbols of {node.name}")
            for name in sorted(_globals_of(scope) & self._homes.keys()):
                self._insert(_using(node, name), [_statement(name, self._homes[name])])

    def _extend_getattr(self) -> bool:
        """Let the module's own `__getattr__`, if it has one, look here first: no frame is added,
        so that warnings of its own still name the caller's line."""
        for node in _at_import(self._tree):
            if isinstance(node, ast.FunctionDef) and node.name == "__getattr__":
                name = node.args.args[0].arg
                self._insert(
                    node,
                    [
                        f"if {name} in __deferred_imports__:",
                        f"    return __import_deferred__({name})",
                    ],
                )
                return True
        return False

    def _insert(self, node: _Scope | ast.If, lines: list[str]) -> None:
        body = _body(node)
        if not body or body[0].lineno == node.lineno:
            name = getattr(node, "name", "a branch")
            raise DoesNotFit(f"line {node.lineno}: {name} has no line for an import")
        first = min(
            [body[0].lineno, *(one.lineno for one in getattr(body[0], "decorator_list", ()))]
        )
        indent = " " * body[0].col_offset
        self._edits.append(_Edit(first, first - 1, [indent + line for line in lines]))

    def _replace(self, node: ast.stmt, text: str) -> None:
        first, last = node.lineno, node.end_lineno or node.lineno
        lines = self._source.splitlines()
        before, after = lines[first - 1][: node.col_offset], lines[last - 1]
        rest = after.encode()[node.end_col_offset :].decode().strip()
        if before.strip() or (rest and not rest.startswith("#")):
            raise DoesNotFit(f"line {first} holds more than one statement")
        # As many lines as before: tracebacks name the lines that the original has.
        self._edits.append(_Edit(first, last, [before + text, *[""] * (last - first)]))

    def _apply(self) -> str:
        lines = self._source.splitlines()
        for edit in sorted(self._edits, key=lambda edit: (edit.first, edit.last), reverse=True):
            lines[edit.first - 1 : max(edit.last, edit.first - 1)] = edit.lines
        return "\n".join(lines) + "\n"


def _at_import(tree: ast.Module) -> Iterator[ast.stmt]:
    """The statements that run when a module is imported, also those in branches."""
    ahead: list[ast.stmt] = list(tree.body)
    while ahead:
        node = ahead.pop(0)
        yield node
        if isinstance(node, _Branch):
            for name in ("body", "orelse", "finalbody"):
                ahead += getattr(node, name, [])
            for handler in getattr(node, "handlers", []):
                ahead += handler.body


def _fallbacks(node: ast.stmt) -> list[ast.stmt]:
    """The statements for where an import fails, if they only bind names to constants."""
    if not isinstance(node, ast.Try) or node.orelse or node.finalbody:
        return []
    found = [one for handler in node.handlers for one in handler.body]
    plain = all(
        isinstance(one, ast.Assign) and isinstance(one.value, ast.Constant) for one in found
    )
    return found if plain else []


def _evaluated(node: ast.AST, *, whole: bool = False) -> Iterator[ast.Name]:
    """The names in what a statement evaluates: not in bodies of functions, nor in statements that
    `_at_import` gives on their own."""
    children = list(ast.iter_child_nodes(node))
    if isinstance(node, _Scope):
        children = [*node.decorator_list, node.args, *([node.returns] if node.returns else [])]
    whole = whole or not isinstance(node, _Branch)
    for child in children:
        if isinstance(child, ast.Name):
            yield child
        elif whole or not isinstance(child, ast.stmt):
            yield from _evaluated(child, whole=whole)


def _names(node: ast.AST) -> Iterator[ast.Name]:
    return (found for found in ast.walk(node) if isinstance(found, ast.Name))


def _functions(tree: ast.Module) -> Iterator[_Scope]:
    """The outermost functions: of the module, and of its classes."""
    ahead: list[ast.AST] = [tree]
    while ahead:
        for child in ast.iter_child_nodes(ahead.pop()):
            if isinstance(child, _Scope):
                yield child
            else:
                ahead.append(child)


def _body(node: _Scope | ast.If) -> list[ast.stmt]:
    """The statements of a function, without its docstring, or of a branch."""
    if isinstance(node, ast.If) or ast.get_docstring(node, clean=False) is None:
        return node.body
    return node.body[1:]


def _using(node: _Scope | ast.If, name: str) -> _Scope | ast.If:
    """The innermost branch that has all uses of a name, or the function: who does not come there
    needs no import."""
    users = [one for one in _body(node) if any(used.id == name for used in _names(one))]
    if len(users) == 1 and isinstance(only := users[0], ast.If):
        elsewhere = [only.test, *only.orelse]
        if only.body[0].lineno != only.lineno and not any(
            used.id == name for part in elsewhere for used in _names(part)
        ):
            return _using(only, name)
    return node


def _outermost(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    for child in table.get_children():
        yield child
        if child.get_type() == "class":
            yield from _outermost(child)


def _globals_of(scope: symtable.SymbolTable) -> set[str]:
    """The module's names that a function refers to, also in functions within it."""
    found = {
        symbol.get_name()
        for symbol in scope.get_symbols()
        if symbol.is_global() and symbol.is_referenced()
    }
    declared = {symbol.get_name() for symbol in scope.get_symbols() if symbol.is_declared_global()}
    for child in scope.get_children():
        found |= _globals_of(child)
    return found - declared


def _statement(name: str, home: _Home) -> str:
    module, attribute = home
    if attribute is None and "." not in module:
        return f"import {module}" if name == module else f"import {module} as {name}"
    if attribute is None:
        module, _, attribute = module.rpartition(".")
    return f"from {module} import {attribute}" + ("" if name == attribute else f" as {name}")


def _tail(homes: Mapping[str, _Home], listed: Sequence[str], *, own_getattr: bool) -> str:
    names = "".join(f"    {name!r}: {home!r},\n" for name, home in sorted(homes.items()))
    getattr_source = "" if own_getattr else _GETATTR
    own = [] if own_getattr else ["__getattr__"]
    added = ("__deferred_imports__", "__import_deferred__", *own)
    return f"\n__deferred_imports__ = {{\n{names}}}\n{_IMPORT}{getattr_source}" + _DIR.format(
        listed=tuple(listed), added=added
    )


_IMPORT = '''

def __import_deferred__(name):
    """Make an import that was put off when this package was built."""
    from importlib import import_module

    module, attribute = __deferred_imports__[name]
    value = import_module(module)
    if attribute is not None:
        value = getattr(value, attribute)
    return globals().setdefault(name, value)
'''

_GETATTR = """

def __getattr__(name):
    if name in __deferred_imports__:
        return __import_deferred__(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}", name=name)
"""

_DIR = """

def __dir__(listed={listed!r}, own=globals().get("__dir__")):
    names = set(globals() if own is None else own())
    added = {added!r}
    names.difference_update(added if own else (*added, "__dir__"))
    return sorted(names.union(listed))
"""
