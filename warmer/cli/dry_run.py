"""`warmer ping --dry-run`: the plan of a run, and what a month of such runs costs at most."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace

import click
from rich.console import Console
from rich.table import Table

from warmer.aws.functions import Configuration, FunctionSettings
from warmer.aws.parameters import Parameters
from warmer.aws.table import Table as MemoryTable
from warmer.aws.tags import TaggedFunctions
from warmer.errors import FunctionNotFound, ServiceError
from warmer.fleet.configuration import UpkeepSettings
from warmer.fleet.discovery import TargetSources, sources_from_environment
from warmer.fleet.forecast import monthly_bill
from warmer.fleet.memory import Memory
from warmer.fleet.plan import MANAGED, PROVISIONED, SNAP_START, Action, Plan, Subject
from warmer.fleet.price import Bill
from warmer.fleet.report import WaveReport
from warmer.fleet.target import Target
from warmer.fleet.upkeep import Upkeep
from warmer.fleet.versions import LiveVersions
from warmer.telemetry import NAMESPACE_VARIABLE

__all__ = ["dry_run"]

ON_DEMAND = "on-demand"


def dry_run(
    target: Target | None,
    warmer: str | None,
    *,
    region: str | None,
    endpoint_url: str | None,
    as_json: bool,
) -> bool:
    """Print the plan; False where something in it is wrong.

    The targets and settings are `target` alone, or those of the deployed function `warmer`, or
    else what this process's environment variables say, as they would to the warmer. Sends no ping,
    writes nothing, and reads no metric. Raises ConfigurationError, FunctionNotFound, ServiceError.
    """
    place = {"region": region, "endpoint_url": endpoint_url}
    functions = FunctionSettings(**place)
    variables: Mapping[str, str] = os.environ
    if warmer is not None:
        variables = functions.configuration(warmer).variables
    settings = UpkeepSettings.read(variables)
    sources = (
        TargetSources((target,))
        if target is not None
        else sources_from_environment(
            variables,
            parameters=lambda: Parameters(**place),
            tagged=lambda: TaggedFunctions(**place),
        )
    )
    memory = Memory(MemoryTable(settings.table, **place) if settings.table else None)
    upkeep = Upkeep(
        sources,
        _send_nothing,
        LiveVersions(functions),
        memory=memory,
        schedule=settings.schedule,
        idle_seconds=settings.idle_seconds,
    )
    plan, problems = upkeep.plan()
    if any(decision.action is Action.PROBE for decision in plan.decisions):
        # A run would send a probe first; who may read configurations learns the same from them.
        problems += _learn_configurations(plan, memory, functions)
        plan, again = upkeep.plan()
        problems = tuple(dict.fromkeys((*problems, *again)))
    following = plan.situation.next_run
    bill = None
    if following is not None:
        period = following - plan.situation.now
        metrics = bool(variables.get(NAMESPACE_VARIABLE))
        bill = monthly_bill(plan, period, metrics=metrics, table=bool(settings.table))
    if as_json:
        click.echo(json.dumps(_as_dict(plan, problems, bill)))
    else:
        _show(plan, problems, bill)
    return not problems and not any(decision.problem for decision in plan.decisions)


def _send_nothing(targets: Sequence[Target], deadline: float) -> list[WaveReport]:
    raise AssertionError(f"a plan sends nothing, to {len(targets)} targets until {deadline}")


def _learn_configurations(
    plan: Plan, memory: Memory, functions: FunctionSettings
) -> tuple[str, ...]:
    """Have the memory know how Lambda starts each version that would be probed."""
    problems = []
    for decision in plan.of(Action.PROBE):
        subject = decision.subject
        try:
            found = functions.configuration(subject.target.function, subject.qualifier)
            provisioned = _has_provisioned(subject, functions)
        except (FunctionNotFound, ServiceError) as error:
            problems.append(f"{subject.name} is not known: {error}")
            continue
        known = replace(
            subject.known, init_type=_init_type(found, provisioned), memory_mb=found.memory_mb
        )
        memory.learn(subject.key, known)
    return tuple(problems)


def _has_provisioned(subject: Subject, functions: FunctionSettings) -> bool:
    qualifier = subject.target.qualifier
    return qualifier is not None and functions.provisioned(subject.target.function, qualifier) > 0


def _init_type(found: Configuration, provisioned: bool) -> str:
    if found.managed_instances:
        return MANAGED
    if found.snap_start:
        return SNAP_START
    return PROVISIONED if provisioned else ON_DEMAND


def _as_dict(plan: Plan, problems: Sequence[str], bill: Bill | None) -> dict[str, object]:
    return {
        "now": round(plan.situation.now, 3),
        "next_run": plan.situation.next_run,
        "idle_seconds": plan.situation.idle_seconds,
        "decisions": [decision.as_dict() for decision in plan.decisions],
        "problems": list(problems),
        "month_usd": bill.as_dict() if bill else None,
    }


def _show(plan: Plan, problems: Sequence[str], bill: Bill | None) -> None:
    table = Table("target", "version", "number", "action", "why", title_justify="left")
    for decision in plan.decisions:
        subject = decision.subject
        row = (str(subject.target), subject.version or "?", str(decision.number))
        table.add_row(*row, decision.action.value, decision.reason)
    console = Console()
    console.print(table)
    for problem in problems:
        console.print(f"- {problem}", markup=False, highlight=False)
    if bill is not None:
        items = ", ".join(f"{name} {usd:.2f}" for name, usd in bill.as_dict().items() if usd)
        console.print(f"A month of such runs, without live traffic, in US dollars: {items}")
