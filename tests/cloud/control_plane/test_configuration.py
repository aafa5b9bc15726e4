"""What Lambda refuses in a function's layers and dead-letter configuration.

Source: AWS Lambda developer guide, "Managing Lambda dependencies with layers"; quotas page.
"""

from __future__ import annotations

from typing import Any

import pytest
from moto.awslambda.exceptions import InvalidParameterValueException, UnknownFunctionException

from infra.cloud import configuration
from infra.cloud.event_invoke import EventInvokeConfig, merged
from tests.cloud.control_plane.conftest import ControlPlane, package


def layer(control: ControlPlane, name: str, size: int) -> str:
    """Publish a layer whose file has so many bytes; returns its ARN."""
    content = package("#" * size)
    control.s3.put_object("packages", name, content)
    spec = {"LayerName": name, "Content": {"S3Bucket": "packages", "S3Key": name}}
    return str(control.functions.publish_layer_version(spec).arn)


@pytest.mark.aws(
    "Lambda developer guide: Lambda quotas", "Layers count for the 250 MB of a function"
)
def test_layers_count_for_the_size_of_a_function(
    control: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its code and all of them together, unzipped; what is refused leaves nothing, or all.

    AWS page: quotas page (deployment package size: all layers and the function).
    """
    monkeypatch.setattr(configuration, "UNZIPPED_LIMIT_BYTES", 5000)
    arns = [layer(control, name, 3000) for name in ("a", "b")]
    with pytest.raises(InvalidParameterValueException, match="Layers consume more than"):
        control.create_function("sample", Layers=arns)
    with pytest.raises(UnknownFunctionException):
        control.functions.resolve("sample", None)
    control.create_function("sample", Layers=arns[:1])
    before = control.functions.resolve("sample", None).version
    with pytest.raises(InvalidParameterValueException, match="Layers consume more than"):
        control.functions.update_function_configuration("sample", "$LATEST", {"Layers": arns})
    assert control.functions.resolve("sample", None).version == before
    assert len(before.layers) == 1


@pytest.mark.aws(
    "Lambda developer guide: Adding layers to functions", "A layer that does not exist is refused"
)
@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:lambda:us-east-1:017000801446:layer:a:1",
        "arn:aws:lambda:us-east-1:123456789012:layer:a:2",
        "arn:aws:lambda:us-east-1:123456789012:layer:a",
        "a",
    ],
)
def test_a_layer_that_is_not_here_is_refused(control: ControlPlane, arn: str) -> None:
    """Also one of another account that has the name of ours.

    AWS page: "Adding layers to functions".
    """
    layer(control, "a", 1)
    with pytest.raises(InvalidParameterValueException, match="does not exist"):
        control.create_function("sample", Layers=[arn])


@pytest.mark.aws(
    "Lambda API reference: DeadLetterConfig", "A dead-letter target is a queue or a topic"
)
def test_events_are_given_up_to_a_queue_or_a_topic(control: ControlPlane) -> None:
    """And to nothing else.

    AWS page: API reference, "DeadLetterConfig".
    """
    target = "arn:aws:lambda:us-east-1:123456789012:function:f"
    with pytest.raises(InvalidParameterValueException, match="SQS queue or an SNS topic"):
        control.create_function("sample", DeadLetterConfig={"TargetArn": target})
    queue = "arn:aws:sqs:us-east-1:123456789012:q"
    created: Any = control.create_function("sample", DeadLetterConfig={"TargetArn": queue})
    assert created.get_configuration()["DeadLetterConfig"] == {"TargetArn": queue}
    control.functions.update_function_configuration("sample", "$LATEST", {"DeadLetterConfig": {}})
    assert control.functions.resolve("sample", None).dead_letter_arn is None


@pytest.mark.aws(
    "Lambda API reference: PutFunctionEventInvokeConfig", "An event-invoke configuration has limits"
)
@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"MaximumRetryAttempts": 3}, "MaximumRetryAttempts is 3; expected 0 to 2"),
        ({"MaximumEventAgeInSeconds": 59}, "MaximumEventAgeInSeconds is 59; expected 60 to 21600"),
        (
            {"DestinationConfig": {"OnFailure": {"Destination": "arn:aws:s3:::bucket"}}},
            "OnFailure's Destination is arn:aws:s3:::bucket",
        ),
    ],
)
def test_an_event_invoke_configuration_has_limits(config: dict[str, Any], said: str) -> None:
    """The message says which.

    AWS page: API reference, "PutFunctionEventInvokeConfig".
    """
    with pytest.raises(InvalidParameterValueException, match=said):
        merged(EventInvokeConfig(), config)
