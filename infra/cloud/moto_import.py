"""moto, imported in a second and not in two, with settings for packages of Lambda's sizes."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from infra.cloud.packages import UNZIPPED_LIMIT_BYTES

__all__ = ["import_moto"]


def import_moto() -> None:
    """Import the part of moto whose import is dear: CloudFormation, with all that it can create.

    Without it the local cloud works the same and starts a second later.
    """
    # Larger objects of S3 go through files: a quarter of a second for a package of 100 MB.
    os.environ.setdefault("MOTO_S3_DEFAULT_KEY_BUFFER_SIZE", str(UNZIPPED_LIMIT_BYTES))
    with _uncollected(), _ec2_undescribed():
        import moto.cloudformation.parsing  # noqa: F401 - for its effect on sys.modules
    _let_instances_go()


def _let_instances_go() -> None:
    """Of every log event, package and version that ever was, moto's classes hold a list.

    It serves moto's reset, which a local cloud never asks for; what was deleted stayed in memory.
    """
    from moto.core.common_models import BaseModel

    def create(cls: type[BaseModel], *_: object, **__: object) -> BaseModel:
        return object.__new__(cls)

    BaseModel.__new__ = create  # type: ignore[method-assign]  # that is the point


@contextmanager
def _uncollected() -> Iterator[None]:
    """No garbage collection meanwhile: what an import makes, stays.

    What there is afterwards is not looked at again by later collections either.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()


@contextmanager
def _ec2_undescribed() -> Iterator[None]:
    """EC2's regions without EC2's API.

    moto asks for these regions when it is imported. botocore reads the whole description of the
    API for that, only to learn by which name its list of regions knows EC2: "ec2".
    """
    from botocore.session import Session

    described = Session.get_service_data

    def get_service_data(session: Session, service_name: str, *arguments: Any) -> Any:
        if service_name == "ec2":
            return {"metadata": {"endpointPrefix": service_name}}
        return described(session, service_name, *arguments)

    with patch.object(Session, "get_service_data", get_service_data):
        yield
