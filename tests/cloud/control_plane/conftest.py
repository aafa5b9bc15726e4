"""What tests of the control plane share: moto's backends with our classes in them, fresh."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import pytest
from moto.awslambda import models as lambda_models
from moto.cloudformation import models
from moto.core.base_backend import BackendDict
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.iam.models import iam_backends
from moto.s3.models import s3_backends

from infra.cloud import (
    functions,
    lambda_api,
    resources,
    resources_codedeploy,
    resources_lambda,
    stacks,
)
from infra.cloud.function import FunctionVersion
from infra.cloud.functions import ControlSettings, LocalLambda
from infra.cloud.packages import PackageStore
from infra.cloud.provisioner import Provisioned
from infra.cloud.stacks import LocalCloudFormation

REGION = "us-east-1"
BUCKET = "packages"
assert resources and resources_codedeploy and resources_lambda


def package(source: str = "def handler(event, context):\n    return event\n") -> bytes:
    """A zip that holds `source` as app.py."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("app.py", source)
    return packed.getvalue()


class ControlPlane:
    """Lambda and CloudFormation of one account, in this process, and what they asked to retire."""

    def __init__(self, folder: Path) -> None:
        self.retired: list[tuple[str, str | None, str | None]] = []
        self.reserved: dict[str, int | None] = {}
        self.asked: dict[str, int] = {}
        self.refused: dict[str, str] = {}
        self.settings = ControlSettings(
            packages=PackageStore(folder / "packages"),
            python="3.12",
            any_python=False,
            url_base="http://localhost:1",
            plane=self,
        )
        functions.install(self.settings)
        lambda_api.install()
        stacks.install()
        iam = iam_backends[DEFAULT_ACCOUNT_ID]["aws"]
        self.role = iam.create_role("role", "{}", "/", None, "", [], "3600").arn
        self.s3: Any = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
        self.s3.create_bucket(BUCKET, REGION)

    @property
    def functions(self) -> LocalLambda:
        """Lambda's control plane."""
        return cast(LocalLambda, lambda_models.lambda_backends[DEFAULT_ACCOUNT_ID][REGION])

    @property
    def stacks(self) -> LocalCloudFormation:
        """CloudFormation."""
        backends = models.cloudformation_backends
        return cast(LocalCloudFormation, backends[DEFAULT_ACCOUNT_ID][REGION])

    def upload(self, key: str, source: str) -> dict[str, str]:
        """Put a package in S3; returns what `Code` says of it in a template."""
        self.s3.put_object(BUCKET, key, package(source))
        return {"S3Bucket": BUCKET, "S3Key": key}

    def create_function(self, name: str = "sample", **changes: Any) -> Any:
        """CreateFunction."""
        spec = {
            "FunctionName": name,
            "Runtime": "python3.12",
            "Role": self.role,
            "Handler": "app.handler",
            "Code": self.upload(name, "def handler(event, context):\n    return event\n"),
        }
        return self.functions.create_function({**spec, **changes})

    def deploy(
        self, template: Mapping[str, Any], parameters: Mapping[str, str] | None = None
    ) -> Any:
        """Create or update the stack `sample` through a change set; returns the stack."""
        names = [stack.name for stack in self.stacks.stacks.values()]
        kind = "UPDATE" if "sample" in names else "CREATE"
        change_set, _ = self.stacks.create_change_set(
            "sample", "change", json.dumps(template), dict(parameters or {}), "", kind
        )
        self.stacks.execute_change_set(change_set)
        return self.stacks.get_stack("sample")

    def retire(self, function: str, *, version: str | None = None, keep: str | None = None) -> None:
        """As DataPlane.retire."""
        self.retired.append((function, version, keep))

    def reserve(self, function: str, concurrency: int | None) -> None:
        """As DataPlane.reserve."""
        self.reserved[function.rsplit(":", 1)[-1]] = concurrency

    def provision(self, version: FunctionVersion, count: int) -> None:
        """As DataPlane.provision: all are ready at once, but for those of `refused` versions."""
        self.asked[f"{version.name}:{version.version}"] = count

    def provisioned(self, version: FunctionVersion) -> Provisioned | None:
        """As DataPlane.provisioned."""
        name = f"{version.name}:{version.version}"
        count = self.asked.get(name, 0)
        why = self.refused.get(name, "")
        if not count:
            return None
        return Provisioned(count, 0 if why else count, 0, "FAILED" if why else "READY", why)


@pytest.fixture
def control(tmp_path: Path) -> Iterator[ControlPlane]:
    """A control plane with nothing in it; moto is as it was afterwards."""
    kept = (
        vars(models)["ResourceMap"],
        models.cloudformation_backends.backend,
        lambda_models.lambda_backends.backend,
        lambda_models.LambdaFunction,
    )
    BackendDict.reset()
    yield ControlPlane(tmp_path)
    BackendDict.reset()
    vars(models)["ResourceMap"] = kept[0]
    models.cloudformation_backends.backend = kept[1]
    lambda_models.lambda_backends.backend = kept[2]
    vars(lambda_models)["LambdaFunction"] = kept[3]
