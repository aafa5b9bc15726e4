"""Resources are made after what they need."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto.cloudformation.exceptions import ValidationError

from infra.cloud.dependencies import creation_order, references, refuse_unresolved

json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(
            st.text() | st.sampled_from(["Ref", "Fn::GetAtt", "Fn::Sub", "DependsOn"]), inner
        )
    ),
)


def resource(properties: Any = None, **more: Any) -> dict[str, Any]:
    """A resource as a template has it."""
    return {"Type": "AWS::SNS::Topic", "Properties": properties or {}, **more}


@pytest.mark.parametrize(
    "written",
    [
        {"Ref": "Needed"},
        {"Fn::GetAtt": ["Needed", "Arn"]},
        {"Fn::GetAtt": "Needed.Arn"},
        {"Fn::Sub": "a ${Needed} b"},
        {"Fn::Sub": "${Needed.Arn}"},
        {"Fn::Sub": ["${Bound}", {"Bound": {"Ref": "Needed"}}]},
        {"Fn::Join": ["", ["a", {"Fn::If": ["C", {"Ref": "Needed"}, "b"]}]]},
    ],
)
def test_every_form_of_reference_counts(written: Any) -> None:
    """However deep it is."""
    assert list(references({"A": [{"B": written}]})) == ["Needed"]


@pytest.mark.parametrize(
    "written",
    [
        "Needed",
        "${Needed}",
        {"Fn::Sub": "${!Needed}"},
        {"Fn::Sub": ["${Needed}", {"Needed": "bound"}]},
        {"Fn::GetAtt": []},
        {"Fn::Sub": 5},
        {"Ref": None},
    ],
)
def test_text_and_bound_names_are_no_references(written: Any) -> None:
    """Nor is what is not written as CloudFormation wants it."""
    assert not list(references(written))


@given(json_values)
def test_anything_can_be_searched_for_references(node: Any) -> None:
    """A template comes from a stranger."""
    assert all(isinstance(name, str) for name in references(node))


@given(st.lists(st.lists(st.integers(0, 30), max_size=4), max_size=20), st.randoms())
def test_whatever_has_no_circle_comes_out_in_order(needs: list[list[int]], random: Any) -> None:
    """Each after all that it refers to, wherever it stands in the template."""
    before = {i: sorted({j % i for j in wanted}) if i else [] for i, wanted in enumerate(needs)}
    names = list(before)
    random.shuffle(names)
    template = {f"R{i}": resource({"A": [{"Ref": f"R{j}"} for j in before[i]]}) for i in names}
    order = creation_order(template)
    assert sorted(template) == sorted(order)
    assert all(order.index(f"R{j}") < order.index(f"R{i}") for i in names for j in before[i])


@pytest.mark.parametrize("depends", ["B", ["B"]])
def test_depends_on_counts_too(depends: Any) -> None:
    """As a name or as a list."""
    assert creation_order({"A": resource(DependsOn=depends), "B": resource()}) == ["B", "A"]


def test_a_circle_is_refused_by_name() -> None:
    """In CloudFormation's words."""
    circle = {"A": resource({"X": {"Ref": "B"}}), "B": resource({"X": {"Ref": "A"}})}
    with pytest.raises(ValidationError, match=r"Circular dependency .*\[A, B\]"):
        creation_order(circle)


@pytest.mark.parametrize("section", ["Resources", "Outputs"])
def test_a_name_that_nothing_has_is_refused(section: str) -> None:
    """Before anything is created."""
    template: dict[str, Any] = {"Resources": {"A": resource()}, "Outputs": {}}
    template[section]["B"] = resource({"X": {"Ref": "Gone"}}, Value={"Ref": "Gone"})
    with pytest.raises(ValidationError, match=rf"\[Gone\] in the {section}"):
        refuse_unresolved(template)


def test_parameters_and_pseudo_parameters_are_known() -> None:
    """AWS::Region and its like need no declaration."""
    properties = {"X": {"Fn::Sub": "${AWS::Region} ${Name}"}, "Y": {"Ref": "AWS::StackName"}}
    refuse_unresolved({"Resources": {"A": resource(properties)}, "Parameters": {"Name": {}}})
