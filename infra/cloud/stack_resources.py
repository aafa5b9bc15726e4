"""The resources of one stack: in the order of their references, with events and its tags."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from moto.cloudformation import parsing
from moto.cloudformation.exceptions import ValidationError

from infra.cloud.declared import Declared
from infra.cloud.dependencies import creation_order

__all__ = ["Announce", "OrderedResources", "reason", "remove_no_values", "with_stack_tags"]

Announce = Callable[[str, str, str, str | None], None]

# Resource types whose tags something here looks at.
_TAGGED = ("AWS::Lambda::Function",)


class OrderedResources(parsing.ResourceMap):
    """The resources of one stack: made, changed and removed in the order of their references."""

    announce: Announce | None = None
    rolling_back: bool = False

    @property
    def resources(self) -> list[str]:
        """Logical names of the resources that exist; moto would make the others when it lists."""
        return [name for name in self._resource_json_map if self._parsed_resources.get(name)]

    def __len__(self) -> int:
        return len(self.resources)

    def made(self) -> dict[str, Any]:
        """The resources as a template: those that conditions leave, with what they were given."""
        known = self.__dict__.get("_known", {})
        return {
            "Resources": {
                name: {"Type": self._resource_json_map[name]["Type"], "Properties": properties}
                for name, properties in known.items()
            }
        }

    def without_effect(self) -> list[str]:
        """`LogicalId.Property (type)` for all that has no effect here because of its value."""
        return [
            f"{name}.{key} ({resource.TYPE})"
            for name, resource in self._parsed_resources.items()
            if isinstance(resource, Declared)
            for key in resource.without_effect()
        ]

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
        self._resource_json_map = with_stack_tags(
            template["Resources"], self.tags, self.stack_id, str(self["AWS::StackName"])
        )
        kept = set()
        for name in creation_order(template["Resources"]):
            if self._wanted(self._resource_json_map[name]):
                kept.add(name)
                self._settle(name, known)
        for name in reversed(creation_order(before)):
            if name not in kept and name in self._parsed_resources:
                self._remove(name, before[name])
                known.pop(name, None)
        for resource in self._parsed_resources.values():
            if isinstance(resource, Declared):
                resource.clean_up()

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
        if self.rolling_back:
            # Back at once: what failed is not deployed step by step again.
            declared = {key: value for key, value in declared.items() if key != "UpdatePolicy"}
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


def with_stack_tags(
    resources: Mapping[str, Any], tags: Mapping[str, Any], stack_id: str, stack_name: str
) -> dict[str, Any]:
    """Resources with the tags that CloudFormation gives them: the stack's, and its own.

    A resource's own tag wins (AWS CloudFormation user guide, "Resource tag").
    """
    tagged = dict(resources)
    for name, resource in resources.items():
        own = (resource.get("Properties") or {}).get("Tags") or []
        if resource["Type"] not in _TAGGED or not isinstance(own, list):
            continue
        added = {
            **tags,
            "aws:cloudformation:stack-name": stack_name,
            "aws:cloudformation:stack-id": stack_id,
            "aws:cloudformation:logical-id": name,
        }
        known = {tag.get("Key") for tag in own if isinstance(tag, dict)}
        more = [{"Key": key, "Value": tags_value} for key, tags_value in added.items()]
        merged = [*own, *(tag for tag in more if tag["Key"] not in known)]
        properties = {**(resource.get("Properties") or {}), "Tags": merged}
        tagged[name] = {**resource, "Properties": properties}
    return tagged


def reason(error: Exception) -> str:
    """What an error says, without the HTTP response that moto makes of it."""
    return str(getattr(error, "message", None) or error)


def remove_no_values() -> None:
    """Make moto take items that are AWS::NoValue out of lists, as it does with properties."""
    resolve = parsing.clean_json
    if resolve.__module__ == __name__:
        return  # done before

    def resolved(value: Any, resources: parsing.ResourceMap) -> Any:
        if isinstance(value, list):
            items = [resolved(item, resources) for item in value]
            return [item for item in items if item is not None]
        return resolve(value, resources)

    vars(parsing)["clean_json"] = resolved
