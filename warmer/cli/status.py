"""`warmer status`: what the last waves prove to be warm."""

from __future__ import annotations

import json
import sys
import time

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from warmer.aws.logs import FunctionLogs
from warmer.fleet.status import (
    PATTERN,
    LifetimeSeen,
    Observations,
    Stay,
    TargetStatus,
    WaveSeen,
    never_waved,
    observe,
    statuses,
)

NAME_ENDING = "-warmer"
"""How the template names a stack's warmer: STACK-warmer."""

SHORTEST_IDLE_LIFETIME_SECONDS = 300.0
"""The shortest time for which an idle environment has been seen to live; AWS publishes none."""


@click.command()
@click.argument("warmer", required=False)
@click.option(
    "--hours",
    type=click.IntRange(1, 8760),
    default=3,
    show_default=True,
    help="How far back to look for waves.",
)
@click.option("--region", help="AWS region; by default what the AWS settings say.")
@click.option("--endpoint-url", metavar="URL", help="Another AWS endpoint: the local cloud's.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def status(
    warmer: str | None,
    hours: int,
    region: str | None,
    endpoint_url: str | None,
    as_json: bool,
) -> None:
    """Show what is warm, by the last waves of WARMER, a warmer's function name.

    Without WARMER, of every function here whose name ends in -warmer, as the template names them.
    Read from their logs, which costs nothing and pings nobody. A wave proves what was warm when it
    ran: look at how long ago that was. Exit code 1 unless every target's last wave proved as many
    environments as it asked for.
    """
    now = time.time()
    logs = FunctionLogs(region=region, endpoint_url=endpoint_url)
    try:
        warmers = [warmer] if warmer else sorted(logs.functions(NAME_ENDING))
        found = {name: observe(logs.events(name, now - hours * 3600, PATTERN)) for name in warmers}
    finally:
        logs.close()
    if as_json:
        click.echo(json.dumps({"hours": hours, "warmers": _described(found, now)}))
    else:
        _show(found, hours, now)
    known = [item for seen in found.values() for item in statuses(seen)]
    problems = any(stay.problem for seen in found.values() for stay in never_waved(seen))
    sys.exit(0 if known and not problems and all(_fine(item) for item in known) else 1)


def _fine(item: TargetStatus) -> bool:
    return item.last.ok and not (item.stay and item.stay.problem)


def _described(found: dict[str, Observations], now: float) -> list[dict[str, object]]:
    return [
        {
            "warmer": name,
            "targets": [item.as_dict(now) for item in statuses(seen)],
            "never_pinged": [
                {"function": stay.function, "qualifier": stay.qualifier, "reason": stay.reason}
                for stay in never_waved(seen)
            ],
            "unreadable_lines": seen.unreadable,
            "idle_lifetime": seen.lifetime.as_dict() if seen.lifetime else None,
        }
        for name, seen in found.items()
    ]


def _show(found: dict[str, Observations], hours: int, now: float) -> None:
    console = Console()

    def say(text: str) -> None:
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    if not found:
        say(
            f"No function here has logged whose name ends in {NAME_ENDING}. Deploy one with"
            " `sam deploy`, name your warmer, or choose --region or --endpoint-url."
        )
    for name, seen in found.items():
        known = statuses(seen)
        if known:
            console.print(_table(name, known, now))
        elif not seen.stays:
            say(
                f"{name} has logged no wave in the last {hours} h, so nothing is known to be"
                " warm. Is its schedule on (parameter Warming)? Invoke it to warm now, or look"
                " further back with --hours."
            )
        for text in _remarks(seen, known, now):
            say(f"- {text}")


def _table(name: str, known: list[TargetStatus], now: float) -> Table:
    titles = ("target", "proven warm", "version", "held since", "oldest known for")
    table = Table(*titles, title=escape(name), title_justify="left")
    for item in known:
        table.add_row(*map(escape, _row(item, now)))
    return table


def _row(item: TargetStatus, now: float) -> tuple[str, ...]:
    last = item.last
    held = "-"
    if item.held_since is not None:
        moment = time.strftime("%Y-%m-%d %H:%M", time.gmtime(item.held_since))
        held = f"{moment} UTC, {_counted(item.waves, 'wave')}"
    return (
        item.name,
        f"{last.proven} of {last.asked}, {_ago(last.started_at, now)}",
        ", ".join(last.versions) or "none answered",
        held,
        "-" if item.oldest_since is None else _duration(now - item.oldest_since),
    )


def _remarks(seen: Observations, known: list[TargetStatus], now: float) -> list[str]:
    said = [f"{item.name}: {text}" for item in known for text in _target_remarks(item, now)]
    said += [_stay_text(stay, now) for stay in never_waved(seen)]
    if seen.lifetime is not None:
        said.append(_lifetime_text(seen.lifetime))
    if seen.unreadable:
        lines = _counted(seen.unreadable, "log line")
        said.append(f"{lines} cannot be read; is the warmer of another version than this command?")
    return said


def _target_remarks(item: TargetStatus, now: float) -> list[str]:
    last: WaveSeen = item.last
    said = list(last.problems)
    said += [f"{name} is not primed: {why or 'not yet'}" for name, why in last.unprimed.items()]
    if item.stay is not None:
        said.append(f"left alone {_ago(item.stay.at, now)}: {item.stay.reason}")
    elif last.proven and now - last.started_at > SHORTEST_IDLE_LIFETIME_SECONDS:
        said.append(
            f"proven {_ago(last.started_at, now)} and not since; without traffic environments may"
            " be gone after 5 min"
        )
    return said


def _stay_text(stay: Stay, now: float) -> str:
    name = f"{stay.function}:{stay.qualifier}" if stay.qualifier else stay.function
    return f"{name}: no wave; left alone {_ago(stay.at, now)}: {stay.reason}"


def _lifetime_text(seen: LifetimeSeen) -> str:
    text = f"environments are counted on to live idle for {_duration(seen.seconds)}"
    if seen.observations is None:
        return f"{text}, as configured"
    return f"{text}, learnt from {_counted(seen.observations, 'idle time')} that replies told"


def _ago(moment: float, now: float) -> str:
    return f"{_duration(now - moment)} ago"


def _duration(seconds: float) -> str:
    """A duration as people say it, to two units at most."""
    seconds = max(seconds, 0.0)
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, hours = int(seconds // 60), int(seconds // 3600)
    if minutes < 60:
        return f"{minutes} min"
    if hours < 48:
        return f"{hours} h {minutes % 60} min"
    return f"{hours // 24} days"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
