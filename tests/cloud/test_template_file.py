"""A template's file, and the packages that it names."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from infra.cloud.artifacts import BUCKET, packaged, zipped
from infra.cloud.template_file import local_code, read_template
from warmer.errors import CloudError, ConfigurationError

TEMPLATE = """
Globals: { Function: { CodeUri: shared } }
Resources:
  Own: { Type: AWS::Serverless::Function, Properties: { CodeUri: own } }
  Inherits: { Type: AWS::Serverless::Function, Properties: { Handler: !Sub "a.b" } }
  Inline: { Type: AWS::Serverless::Function, Properties: { InlineCode: "x = 1" } }
  Uploaded: { Type: AWS::Serverless::Function, Properties: { CodeUri: "s3://bucket/key" } }
  Plain: { Type: AWS::Lambda::Function, Properties: { Code: own } }
  Layer: { Type: AWS::Serverless::LayerVersion, Properties: { ContentUri: own } }
  Topic: { Type: AWS::SNS::Topic }
"""


@pytest.fixture
def template(tmp_path: Path) -> Path:
    """A template with code folders beside it."""
    for name in ("own", "shared"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "app.py").write_text(f"NAME = {name!r}\n")
    path = tmp_path / "template.yaml"
    path.write_text(TEMPLATE)
    return path


def test_local_packages_are_found(template: Path) -> None:
    """Own and inherited ones, of every resource type that has one; nothing that is elsewhere."""
    found = local_code(read_template(template), template.parent)
    assert [(code.resource, code.path.name) for code in found] == [
        ("Own", "own"),
        ("Inherits", "shared"),
        ("Plain", "own"),
        ("Layer", "own"),
    ]


def test_a_folder_that_is_not_there_is_refused_by_name(template: Path) -> None:
    """With the resource, the property and the value."""
    (template.parent / "own" / "app.py").unlink()
    (template.parent / "own").rmdir()
    with pytest.raises(CloudError, match=r"Own.CodeUri is 'own', and there is no"):
        packaged(template)


def test_packages_are_replaced_by_places_in_s3(template: Path) -> None:
    """Each in its type's form; equal packages are put there once."""
    made = packaged(template)
    assert len(made.contents) == 2
    resources = made.template["Resources"]
    uri = resources["Own"]["Properties"]["CodeUri"]
    assert uri.startswith(f"s3://{BUCKET}/")
    key = uri.rsplit("/", 1)[1]
    assert resources["Plain"]["Properties"]["Code"] == {"S3Bucket": BUCKET, "S3Key": key}
    assert resources["Layer"]["Properties"]["ContentUri"] == uri
    assert resources["Inherits"]["Properties"]["CodeUri"] != uri
    assert resources["Inherits"]["Properties"]["Handler"] == {"Fn::Sub": "a.b"}
    assert resources["Uploaded"]["Properties"]["CodeUri"] == "s3://bucket/key"
    with zipfile.ZipFile(io.BytesIO(made.contents[key])) as archive:
        assert archive.read("app.py") == b"NAME = 'own'\n"


def test_the_same_files_make_the_same_zip(tmp_path: Path) -> None:
    """Whenever they were written; permissions are kept."""
    archives = []
    for name in ("one", "two"):
        folder = tmp_path / name / "inner"
        folder.mkdir(parents=True)
        (folder / "run.sh").write_text("exit 0\n")
        (folder / "run.sh").chmod(0o755)
        archives.append(zipped(tmp_path / name))
    assert archives[0] == archives[1]
    with zipfile.ZipFile(io.BytesIO(archives[0])) as archive:
        (entry,) = archive.infolist()
    assert (entry.filename, entry.external_attr >> 16 & 0o777) == ("inner/run.sh", 0o755)


def test_a_zip_is_taken_as_it_is_and_another_file_is_packed(tmp_path: Path) -> None:
    """As `sam package` does."""
    module, archive = tmp_path / "app.py", tmp_path / "app.zip"
    module.write_text("pass\n")
    archive.write_bytes(zipped(module))
    assert zipped(archive) == archive.read_bytes() == zipped(module)


def test_no_template_is_a_configuration_error(tmp_path: Path) -> None:
    """It says which file was looked for."""
    with pytest.raises(ConfigurationError, match=r"template is '.*none.yaml'; expected a SAM"):
        read_template(tmp_path / "none.yaml")


@pytest.mark.parametrize("text", ["", "[]", "Resources: 3", "a: [", "a: !Ref [b"])
def test_what_is_no_template_is_refused(tmp_path: Path, text: str) -> None:
    """By its path."""
    path = tmp_path / "template.yaml"
    path.write_text(text)
    with pytest.raises(CloudError, match=r"template\.yaml"):
        read_template(path)
