"""How a CloudFormation resource of ours is written: create, change, remove, attributes."""

from __future__ import annotations

from typing import Any, ClassVar, Self

Properties = dict[str, Any]


class Declared:
    """A mixin that turns moto's five class methods into three small ones.

    Write `class Thing(Declared, CloudFormationModel)`: moto finds only direct subclasses of
    CloudFormationModel, whose own metaclass rules out `abc.ABC` for `create` and `remove`, which
    every resource defines.
    """

    TYPE: ClassVar[str]
    NAME_PROPERTY: ClassVar[str] = ""
    # A change of one of these needs another resource in its place.
    REPLACED_BY: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, account_id: str, region: str, name: str, properties: Properties) -> None:
        self.account_id = account_id
        self.region = region
        self.name = name
        self.properties = properties
        self.attributes: dict[str, Any] = {}
        # The resource's UpdatePolicy, while it is changed.
        self.update_policy: Properties = {}

    def create(self) -> None:
        """Make it, from `self.properties`."""
        raise NotImplementedError(f"{type(self).__name__}.create")

    def change(self, properties: Properties) -> None:
        """Take on `properties`; by default remove the old one and make a new one."""
        self.remove()
        self.properties = properties
        self.create()

    def remove(self) -> None:
        """Undo `create`."""
        raise NotImplementedError(f"{type(self).__name__}.remove")

    def clean_up(self) -> None:
        """What is left to do once all of the stack's resources are changed."""

    def without_effect(self) -> tuple[str, ...]:
        """Properties that have none because of their values, where others of the type have one."""
        return ()

    @property
    def physical_resource_id(self) -> str:
        """What `Ref` gives."""
        return self.name

    def get_cfn_attribute(self, attribute_name: str) -> Any:
        """What `Fn::GetAtt` gives."""
        return self.attributes[attribute_name]

    def is_created(self) -> bool:
        """Whether creation has ended: it has, once `create` returns."""
        return True

    def delete(self, account_id: str, region_name: str) -> None:  # noqa: ARG002 - moto's signature
        """What moto calls when a stack no longer has the resource."""
        self.remove()

    @classmethod
    def cloudformation_type(cls) -> str:
        """The resource type."""
        return cls.TYPE

    @classmethod
    def cloudformation_name_type(cls) -> str:
        """The property that names it, or an empty string."""
        return cls.NAME_PROPERTY

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        """Whether `Fn::GetAtt` may ask for it: cfn-lint has checked the template for that."""
        return bool(attr)

    @classmethod
    def create_from_cloudformation_json(
        cls,
        resource_name: str,
        cloudformation_json: dict[str, Any],
        account_id: str,
        region_name: str,
        **_context: Any,  # moto's logical id, stack id and type
    ) -> Self:
        """Make a resource."""
        made = cls(account_id, region_name, resource_name, cloudformation_json["Properties"])
        made.create()
        return made

    @classmethod
    def update_from_cloudformation_json(
        cls,
        original_resource: Self,
        new_resource_name: str,
        cloudformation_json: dict[str, Any],
        account_id: str,
        region_name: str,
    ) -> Self:
        """Change a resource, or replace it where that is what CloudFormation does."""
        properties = cloudformation_json["Properties"]
        before = original_resource.properties
        if any(before.get(key) != properties.get(key) for key in cls.REPLACED_BY):
            made = cls.create_from_cloudformation_json(
                new_resource_name, cloudformation_json, account_id, region_name
            )
            original_resource.remove()
            return made
        original_resource.update_policy = cloudformation_json.get("UpdatePolicy") or {}
        original_resource.change(properties)
        original_resource.properties = properties
        return original_resource

    @classmethod
    def delete_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str
    ) -> None:
        """Never called: `delete` is there."""
        del resource_name, cloudformation_json, account_id, region_name
