"""The handler that AWS's guides teach: a client and Powertools' tools made once, at INIT.

Lambda developer guide, "Best practices for working with AWS Lambda functions": initialise SDK
clients outside of the handler. Powertools for AWS Lambda (Python), "Logger", "Metrics", "Tracer",
"REST API": each is made at module level and decorates the handler. boto3 is the runtime's own.
"""

# mypy: disable-error-code="untyped-decorator"
# Powertools' decorators are not typed for mypy here.

import os
from typing import Any

import boto3
import numpy as np
import onnxruntime
from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.event_handler import LambdaFunctionUrlResolver
from aws_lambda_powertools.logging import correlation_paths
from aws_lambda_powertools.metrics import MetricUnit

logger = Logger()
metrics = Metrics()
tracer = Tracer()
app = LambdaFunctionUrlResolver()
s3 = boto3.client("s3")

SESSION = onnxruntime.InferenceSession(os.environ["MODEL_FILE"], providers=["CPUExecutionProvider"])
TYPES = {
    "tensor(float)": np.float32,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
}


@app.post("/infer")
@tracer.capture_method
def infer() -> dict[str, Any]:
    """Answer one inference: inputs by name in, outputs by name out."""
    body = app.current_event.json_body
    feeds = {
        node.name: np.array(body[node.name], TYPES[node.type]) for node in SESSION.get_inputs()
    }
    outputs = SESSION.run(None, feeds)
    metrics.add_metric(name="Inferences", unit=MetricUnit.Count, value=1)
    return {
        node.name: value.tolist()
        for node, value in zip(SESSION.get_outputs(), outputs, strict=True)
    }


@logger.inject_lambda_context(correlation_id_path=correlation_paths.LAMBDA_FUNCTION_URL)
@tracer.capture_lambda_handler
@metrics.log_metrics(capture_cold_start_metric=True)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer an HTTP request."""
    response: dict[str, Any] = app.resolve(event, context)
    return response
