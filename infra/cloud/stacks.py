"""CloudFormation as `sam deploy` uses it: change sets that apply in order, or not at all.

moto creates, changes and removes the resources of a stack one by one, in the order of the template.
Here the order is that of their references (a version is published after its function's code has
changed), a change that fails is undone, and what changed is told as stack events.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, cast

from moto.cloudformation import models, parsing, urls
from moto.cloudformation.exceptions import AlreadyExistsException, ValidationError
from moto.cloudformation.models import ChangeSet, CloudFormationBackend, Event, Stack

from infra.cloud.dependencies import creation_order
from infra.cloud.support import without_effect
from infra.cloud.transform import parameter_values, plain_template

log = logging.getLogger("warmer.cloud")

Announce = Callable[[str, str, str, str | None], None]

_DEAD = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED")


class OrderedResources(parsing.ResourceMap):
    """The resources of one stack: made, changed and removed in the order of their references."""

    announce: Announce | None = None

    @property
    def resources(self) -> list[str]:
        """Logical names of the resources that exist; moto would make the others when it lists."""
        return [name for name in self._resource_json_map if self._parsed_resources.get(name)]

    def __len__(self) -> int:
        return len(self.resources)

    def update(self, template: dict[str, Any], parameters: dict[str, Any] | None = None) -> None:
        """Make this stack what `template` says; raises what the failing resource raised."""
        before = dict(self._resource_json_map)
        known = self.__dict__.setdefault("_known", {})
        self._template = template
        self.input_parameters = dict(parameters or {})
        self.resolved_parameters = {}
        self.load_mapping()
        self.load_parameters()
        self.load_conditions()
        self._resource_json_map = template["Resources"]
        kept = set()
        for name in creation_order(template["Resources"]):
            if self._wanted(template["Resources"][name]):
                kept.add(name)
                self._settle(name, known)
        for name in reversed(creation_order(before)):
            if name not in kept and name in self._parsed_resources:
                self._remove(name, before[name])
                known.pop(name, None)

    def delete(self) -> None:
        """Remove every resource that is not retained, users before what they use."""
        resources = dict(self._resource_json_map)
        for name in reversed(creation_order(resources)):
            if name in self._parsed_resources:
                self._remove(name, resources[name])

    def _wanted(self, resource: Mapping[str, Any]) -> bool:
        condition = resource.get("Condition")
        return not condition or bool(self.lazy_condition_map[condition])

    def _settle(self, name: str, known: dict[str, Any]) -> None:
        declared = self._resource_json_map[name]
        exists = name in self._parsed_resources
        properties = parsing.clean_json(declared.get("Properties") or {}, self)
        if exists and properties == known.get(name):
            return
        verb = "UPDATE" if exists else "CREATE"
        self._tell(name, f"{verb}_IN_PROGRESS")
        # Where a change fails halfway, a rollback must not take the old properties for true.
        known.pop(name, None)
        try:
            if exists:
                self._change(name, declared)
            else:
                _ = self[name]
        except Exception as error:
            self._tell(name, f"{verb}_FAILED", reason(error))
            raise
        known[name] = properties
        self._tell(name, f"{verb}_COMPLETE")

    def _change(self, name: str, declared: dict[str, Any]) -> None:
        changed: Any = parsing.parse_and_update_resource(
            name, declared, self, account_id=self._account_id, region_name=self._region_name
        )
        if changed is None:
            raise ValidationError(
                message=f"The local cloud cannot change a {declared['Type']}: give it another "
                "logical name, so that a new one takes its place"
            )
        self._parsed_resources[name] = changed

    def _remove(self, name: str, declared: dict[str, Any]) -> None:
        if declared.get("DeletionPolicy") != "Retain":
            self._tell(name, "DELETE_IN_PROGRESS")
            self._delete_resource(self._parsed_resources[name], declared)
            self._tell(name, "DELETE_COMPLETE")
        self._parsed_resources.pop(name)

    def _tell(self, name: str, status: str, reason: str | None = None) -> None:
        if self.announce is not None:
            resource = self._parsed_resources.get(name)
            physical = getattr(resource, "physical_resource_id", "") or ""
            self.announce(name, str(physical), status, reason)


class LocalCloudFormation(CloudFormationBackend):
    """CloudFormation for one account and region, with the Serverless transform."""

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
        kind = change_set.change_set_type
        stack._add_stack_event(f"{kind}_IN_PROGRESS", resource_status_reason="User Initiated")
        try:
            self._apply(stack, change_set.template_dict, change_set.parameters)
        except Exception as error:  # noqa: BLE001 - whatever a resource raises fails the stack
            log.warning("stack %s: %s", stack.name, reason(error))
            self._roll_back(stack, kind, reason(error))
        else:
            stack.template = change_set.template
            cast(Any, stack).original_template = getattr(change_set, "original_template", None)
            self._export(stack)
            _finish(stack, f"{kind}_COMPLETE")
            if listed := list(without_effect(change_set.template_dict)):
                told = ", ".join(listed)
                log.warning("stack %s: recorded without effect: %s", stack.name, told)
        change_set.execution_status = "EXECUTE_COMPLETE"

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


def reason(error: Exception) -> str:
    """What an error says, without the HTTP response that moto makes of it."""
    return str(getattr(error, "message", None) or error)


def _finish(stack: Stack, status: str, why: str | None = None) -> None:
    stack.status = status
    stack._add_stack_event(status, resource_status_reason=why)


def install() -> None:
    """Make moto use these classes, for every account and region, from now on."""
    vars(models)["ResourceMap"] = OrderedResources
    models.cloudformation_backends.backend = LocalCloudFormation
