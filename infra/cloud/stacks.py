"""CloudFormation as `sam deploy` uses it: change sets that apply in order, or not at all.

moto creates, changes and removes the resources of a stack one by one, in the order of the template.
Here the order is that of their references (a version is published after its function's code has
changed), a change that fails is undone, and what changed is told as stack events.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any, ClassVar, cast

from moto.cloudformation import models, parsing, urls
from moto.cloudformation.exceptions import AlreadyExistsException, ValidationError
from moto.cloudformation.models import ChangeSet, CloudFormationBackend, Event, Stack

from infra.cloud.stack_resources import OrderedResources, reason, remove_no_values
from infra.cloud.support import without_effect
from infra.cloud.transform import parameter_values, plain_template

log = logging.getLogger("warmer.cloud")

# ExecuteChangeSet waits so long for a change before it goes on without its caller. (On AWS it never
# waits; here, what is quick has been done when the call returns.)
_PATIENCE_SECONDS = 10.0
_DEAD = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED")


class LocalCloudFormation(CloudFormationBackend):
    """CloudFormation for one account and region, with the Serverless transform.

    settled: called when a change has ended, whoever waited for it.
    """

    settled: ClassVar[Callable[[], None]]
    _running: ClassVar[set[threading.Thread]] = set()

    @property
    def _url_module(self) -> ModuleType:
        # moto derives it from the name of the class's module, which is ours.
        return urls

    def create_stack(self, name: str, template: str, *args: Any, **kwargs: Any) -> Stack:
        """CreateStack: as a change set of type CREATE that is executed at once."""
        parameters = kwargs.pop("parameters", args[0] if args else {})
        if any(stack.name == name for stack in self.stacks.values()):
            raise AlreadyExistsException(f"Stack {name} already exists")
        tags = kwargs.get("tags")
        change_set, stack_id = self.create_change_set(
            name, f"create-{name}", template, parameters, "", "CREATE", tags=tags
        )
        self.execute_change_set(change_set)
        return self.stacks[stack_id]

    def create_change_set(
        self,
        stack_name: str,
        change_set_name: str,
        template: str,
        parameters: dict[str, str],
        description: str,
        change_set_type: str,
        *args: Any,  # moto's further ones, passed on
        **kwargs: Any,
    ) -> tuple[str, str]:
        """CreateChangeSet: the template is checked and transformed before anything is recorded."""
        self._check_status(stack_name, change_set_type)
        plain = plain_template(template, parameters, self.region_name)
        # Complete, so that a default and the same value when given are no change.
        values = parameter_values(plain, parameters)
        # As UTF-8: moto reads it as YAML, whose escapes differ from JSON's beyond U+FFFF.
        text = json.dumps(plain, ensure_ascii=False)
        created = super().create_change_set(
            stack_name, change_set_name, text, values, description, change_set_type, *args, **kwargs
        )
        change_set = cast(Any, self.describe_change_set(created[0]))
        change_set.original_template = template
        return created

    def execute_change_set(
        self,
        change_set_name: str,
        stack_name: str | None = None,  # noqa: ARG002 - moto's signature
    ) -> None:
        """ExecuteChangeSet: apply all of it, or undo it and say why in the stack's events."""
        change_set = cast(ChangeSet, self.describe_change_set(change_set_name))
        stack = self.stacks[change_set.stack_id]
        _finish(stack, f"{change_set.change_set_type}_IN_PROGRESS", "User Initiated")
        change_set.execution_status = "EXECUTE_IN_PROGRESS"

        def execute() -> None:
            try:
                self._execute(change_set, stack)
            finally:
                self._running.discard(thread)
                type(self).settled()

        thread = threading.Thread(target=execute, name=f"stack {stack.name}", daemon=True)
        self._running.add(thread)
        thread.start()
        thread.join(_PATIENCE_SECONDS)

    @classmethod
    def close(cls) -> None:
        """Wait for changes that go on; what they wait for has ended."""
        for thread in list(cls._running):
            thread.join()

    def _execute(self, change_set: ChangeSet, stack: Stack) -> None:
        kind = change_set.change_set_type
        try:
            if change_set.tags:
                stack.tags = change_set.tags
                stack.resource_map.tags = dict(change_set.tags)
            self._apply(stack, change_set.template_dict, change_set.parameters)
        except Exception as error:  # noqa: BLE001 - whatever a resource raises fails the stack
            log.warning("stack %s: %s", stack.name, reason(error))
            self._roll_back(stack, kind, reason(error))
        else:
            stack.template = change_set.template
            cast(Any, stack).original_template = getattr(change_set, "original_template", None)
            self._export(stack)
            _finish(stack, f"{kind}_COMPLETE")
            resources = cast(OrderedResources, stack.resource_map)
            listed = [*without_effect(resources.made()), *resources.without_effect()]
            if listed:
                told = ", ".join(listed)
                log.warning("stack %s: recorded without effect: %s", stack.name, told)
        change_set.execution_status = "EXECUTE_COMPLETE"
        self._forget_change_sets(stack, change_set)

    def _forget_change_sets(self, stack: Stack, executed: ChangeSet) -> None:
        """Those that a change made useless, as "Execute a change set" in the user guide of AWS
        CloudFormation says; the one that was executed can be described until the next."""
        for key, item in list(self.change_sets.items()):
            if item.stack_id == stack.stack_id and item is not executed:
                self.change_sets.pop(key, None)

    def update_stack(
        self,
        name: str,
        template: str,
        role_arn: str | None,
        parameters: list[dict[str, Any]],
        tags: dict[str, str] | None,
    ) -> Stack:
        """UpdateStack: as a change set of type UPDATE that is executed at once."""
        stack = self.get_stack(name)
        values = self._resolve_update_parameters(stack, parameters)
        change_set, _ = self.create_change_set(
            name, f"update-{name}", template, values, "", "UPDATE", tags=tags, role_arn=role_arn
        )
        self.execute_change_set(change_set)
        return stack

    def get_template(self, name_or_stack_id: str) -> str | dict[str, Any]:
        """GetTemplate: what the user sent (TemplateStage is Original by default)."""
        stack = self.get_stack(name_or_stack_id)
        return getattr(stack, "original_template", None) or stack.template

    def delete_stack(self, name_or_stack_id: str) -> None:
        """DeleteStack: idempotent, as on AWS. What cannot be deleted keeps the stack."""
        for stack in list(self.stacks.values()):
            if name_or_stack_id in (stack.name, stack.stack_id):
                self._delete(stack)

    def _delete(self, stack: Stack) -> None:
        self._announce_on(stack)
        stack._add_stack_event("DELETE_IN_PROGRESS", resource_status_reason="User Initiated")
        try:
            stack.resource_map.delete()
        except Exception as error:  # noqa: BLE001 - the stack's status tells it, as on AWS
            log.warning("stack %s: %s", stack.name, reason(error))
            _finish(stack, "DELETE_FAILED", reason(error))
            return
        # Nothing is left that an output could refer to.
        stack.output_map = parsing.OutputMap(stack.resource_map, {}, stack.stack_id)
        self._export(stack)
        self.deleted_stacks[stack.stack_id] = self.stacks.pop(stack.stack_id)
        _finish(stack, "DELETE_COMPLETE")

    def _check_status(self, name: str, change_set_type: str) -> None:
        """Whether a stack of that name, if there is one, can have such a change set."""
        for stack in [stack for stack in self.stacks.values() if stack.name == name]:
            if change_set_type == "CREATE":
                if stack.status != "REVIEW_IN_PROGRESS":
                    raise AlreadyExistsException(f"Stack {name} already exists")
                # It holds nothing but change sets that nobody executed.
                del self.stacks[stack.stack_id]
            elif stack.status.endswith("_IN_PROGRESS"):
                raise ValidationError(
                    message=f"Stack:{stack.stack_id} is in {stack.status} state and can not be "
                    "updated."
                )
            elif stack.status in _DEAD:
                raise ValidationError(
                    message=f"Stack:{stack.stack_id} is in {stack.status} state and can not be "
                    "updated. Delete it first (sam delete)"
                )

    def _export(self, stack: Stack) -> None:
        """Make a stack's exports, and no others of its own, what other stacks can import."""
        others = {
            name: export
            for name, export in self.exports.items()
            if export.exporting_stack_id != stack.stack_id
        }
        own = {export.name: export for export in stack.exports}
        self.exports.clear()
        self.exports.update({**others, **own})

    def _apply(self, stack: Stack, template: dict[str, Any], parameters: dict[str, Any]) -> None:
        self._announce_on(stack)
        stack.resource_map.cross_stack_resources = self.exports
        stack.resource_map.update(template, parameters)
        stack.template_dict = template
        stack.parameters = parameters
        stack.description = template.get("Description")
        stack.output_map = stack._create_output_map()
        # Evaluated now: a value that cannot be had fails the change, not whoever looks later.
        _ = stack.outputs
        for export in stack.exports:
            holder = self.exports.get(export.name)
            if holder is not None and holder.exporting_stack_id != stack.stack_id:
                raise ValidationError(
                    message=f"Export with name {export.name} is already exported by stack "
                    f"{holder.exporting_stack_id.split('/')[1]}"
                )

    def _announce_on(self, stack: Stack) -> None:
        def announce(name: str, physical: str, status: str, reason: str | None) -> None:
            declared = cast(Any, stack.resource_map)._resource_json_map.get(name) or {}
            stack.events.append(
                Event(
                    stack_id=stack.stack_id,
                    stack_name=stack.name,
                    logical_resource_id=name,
                    physical_resource_id=physical,
                    resource_type=declared.get("Type", "AWS::CloudFormation::Resource"),
                    resource_status=status,
                    resource_status_reason=reason,
                    resource_properties=None,
                )
            )

        cast(OrderedResources, stack.resource_map).announce = announce

    def _roll_back(self, stack: Stack, kind: str, why: str) -> None:
        rollback = "ROLLBACK" if kind == "CREATE" else "UPDATE_ROLLBACK"
        _finish(stack, f"{rollback}_IN_PROGRESS", why)
        resources = cast(OrderedResources, stack.resource_map)
        resources.rolling_back = True
        try:
            if kind == "CREATE":
                stack.resource_map.delete()
            else:
                self._apply(stack, stack.template_dict, stack.parameters)
        except Exception as error:  # noqa: BLE001 - the stack's status tells it, as on AWS
            log.warning("stack %s: the rollback failed too: %s", stack.name, reason(error))
            _finish(stack, f"{rollback}_FAILED", reason(error))
        else:
            _finish(stack, f"{rollback}_COMPLETE", why)
        finally:
            resources.rolling_back = False


def _finish(stack: Stack, status: str, why: str | None = None) -> None:
    stack.status = status
    stack._add_stack_event(status, resource_status_reason=why)


def install(settled: Callable[[], None] = lambda: None) -> None:
    """Make moto use these classes, for every account and region, from now on.

    settled: called when a change of a stack has ended.
    """
    LocalCloudFormation.settled = staticmethod(settled)
    remove_no_values()
    vars(models)["ResourceMap"] = OrderedResources
    models.cloudformation_backends.backend = LocalCloudFormation
