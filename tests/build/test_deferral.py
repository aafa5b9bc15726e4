"""One module's source with imports put off."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from infra.build.deferral import Deferral, DoesNotFit, Record, defer_imports

PLAIN = Record(frozenset(), None, frozenset())


def deferred(source: str, *imports: str, record: Record = PLAIN) -> str:
    """The source of a module `one`, with these imports put off."""
    return defer_imports(source, Deferral("one", imports, "a test"), package=False, record=record)


def run(folder: Path, code: str) -> str:
    """What a fresh process prints that finds modules in `folder`."""
    return subprocess.run(
        [sys.executable, "-B", "-c", code], cwd=folder, capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.mark.parametrize(
    ("statement", "use"),
    [
        ("import colorsys", "one.colorsys.__name__"),
        ("import colorsys as c", "one.c.__name__"),
        ("from colorsys import rgb_to_hls", "one.rgb_to_hls.__module__"),
        ("from colorsys import rgb_to_hls as r", "one.r.__module__"),
        (
            "if True:\n    from colorsys import (\n        rgb_to_hls,\n    )",
            "one.rgb_to_hls.__module__",
        ),
        (
            "try:\n    import colorsys\nexcept ImportError:\n    colorsys = None",
            "one.colorsys.__name__",
        ),
    ],
)
def test_a_deferred_import_is_made_when_its_name_is_first_asked_for(
    tmp_path: Path, statement: str, use: str
) -> None:
    """And not when the module is imported."""
    text = deferred(f"{statement}\n", "colorsys")
    tmp_path.joinpath("one.py").write_text(text, encoding="utf-8")
    shown = run(tmp_path, f"import sys, one; print('colorsys' in sys.modules, {use})")
    assert shown == "False colorsys"


def test_functions_that_use_a_deferred_name_import_it(tmp_path: Path) -> None:
    """Globals of a function are not looked for in the module's `__getattr__`; nested ones and
    methods are served too, and a function's own names are its own."""
    source = '''
import colorsys

def plain():
    """Documented."""
    return colorsys.__name__

def nested():
    return [(lambda: colorsys.__name__)() for _ in range(1)][0]

class Kind:
    def method(self):
        if True:
            return colorsys.__name__

def own(colorsys):
    return colorsys
'''
    tmp_path.joinpath("one.py").write_text(deferred(source, "colorsys"), encoding="utf-8")
    for call in ("plain()", "nested()", "Kind().method()", "own('colorsys')"):
        assert run(tmp_path, f"import one; print(one.{call})") == "colorsys"
    assert run(tmp_path, "import one; print(one.plain.__doc__)") == "Documented."


@pytest.mark.parametrize(
    ("source", "loaded"),
    [
        ("if flag:\n        return colorsys.__name__\n    return 'none'", "none False"),
        (
            "if flag:\n        if flag:\n            return colorsys\n    return 'none'",
            "none False",
        ),
        ("return colorsys.__name__ if flag else 'none'", "none True"),
        ("if flag:\n        return colorsys\n    return 'none' or colorsys", "none True"),
        ("if flag:\n        return colorsys\n    else:\n        return 'none'", "none False"),
        ("if not flag:\n        return 'none'\n    elif colorsys:\n        pass", "none True"),
        ("if flag and colorsys:\n        return colorsys\n    return 'none'", "none True"),
        ("if flag: return colorsys\n    return 'none'", "none True"),
    ],
)
def test_who_does_not_come_to_a_use_makes_no_import(
    tmp_path: Path, source: str, loaded: str
) -> None:
    """It is made in the innermost branch that has all uses of the name."""
    text = f"import colorsys\n\ndef f(flag):\n    {source}\n"
    tmp_path.joinpath("one.py").write_text(deferred(text, "colorsys"), encoding="utf-8")
    shown = run(tmp_path, "import sys, one; print(one.f(False), 'colorsys' in sys.modules)")
    assert shown == loaded
    run(tmp_path, "import one; one.f(True)")


def test_a_modules_own_getattr_and_dir_stay(tmp_path: Path) -> None:
    """What they answered before they answer now, from the same frame; deferred names are listed."""
    source = (
        "import colorsys\n"
        "def __getattr__(name):\n"
        "    import sys\n"
        "    return sys._getframe(1).f_globals['__name__']\n"
        "def __dir__():\n"
        "    return ['listed']\n"
    )
    record = Record(frozenset({"listed", "colorsys"}), None, frozenset())
    text = deferred(source, "colorsys", record=record)
    tmp_path.joinpath("one.py").write_text(text, encoding="utf-8")
    shown = run(tmp_path, "import one; print(one.other, one.colorsys.__name__, dir(one))")
    assert shown == "__main__ colorsys ['colorsys', 'listed']"


def test_a_computed_list_of_exports_is_written_out(tmp_path: Path) -> None:
    """So that a star import finds every name."""
    source = "import colorsys\n__all__ = [name for name in dir(colorsys) if name == 'hls_to_rgb']\n"
    record = Record(frozenset(), ["colorsys"], frozenset())
    text = deferred(source, "colorsys", record=record)
    tmp_path.joinpath("one.py").write_text(text, encoding="utf-8")
    assert run(tmp_path, "from one import *; print(colorsys.__name__)") == "colorsys"


def test_lines_of_the_module_keep_their_numbers() -> None:
    """Tracebacks name them."""
    source = "from colorsys import (\n    rgb_to_hls,\n    hls_to_rgb,\n)\nafter = 1\n"
    assert deferred(source, "colorsys").splitlines()[4] == "after = 1"


def test_what_else_an_import_of_several_lines_binds_is_still_imported() -> None:
    """In as many lines as before."""
    source = "from xml import (\n    dom,\n    sax,\n)\nafter = 1\n"
    assert deferred(source, "xml.sax").splitlines()[:5] == [
        "from xml import dom",
        "",
        "",
        "",
        "after = 1",
    ]


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("import math\n", "it does not import colorsys"),
        ("import colorsys\nvalue = colorsys.ONE_THIRD\n", "line 2 uses colorsys during the import"),
        ("import colorsys\n@colorsys.f\ndef f(): ...\n", "line 2 uses colorsys"),
        ("import colorsys\ndef f(x=colorsys): ...\n", "line 2 uses colorsys"),
        ("import colorsys\nclass C:\n    if True:\n        x = colorsys\n", "line 4 uses"),
        ("import colorsys\nmatch 1:\n    case 1:\n        colorsys\n", "line 4 uses colorsys"),
        ("import colorsys\ndef colorsys():\n    pass\n", "line 2 defines colorsys"),
        ("import colorsys\nimport math as colorsys\n", "line 2 imports colorsys from elsewhere"),
        ("import colorsys\ndel colorsys\n", "line 2 uses colorsys"),
        ("from colorsys import *\n", "line 1 imports all names of colorsys"),
        ("import colorsys; x = 1\n", "line 1 holds more than one statement"),
        ("import colorsys\ndef f(): return colorsys\n", "line 2: f has no line for an import"),
    ],
)
def test_what_would_not_come_to_the_same_is_refused(source: str, fault: str) -> None:
    """The message says which line, for whoever keeps the table of deferrals."""
    with pytest.raises(DoesNotFit, match=fault):
        deferred(source, "colorsys")
