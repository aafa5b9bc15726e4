"""The AWS adapter: the only package that imports boto3, and only when a client is first needed.

The world is behind `Invoker.invoke` and ObjectStore: whoever needs Lambda or S3 takes one of them.
"""

from warmer.aws.invoke import Invoker, InvokeReply, InvokeRequest, LambdaInvoker, SignedInvoke
from warmer.aws.objects import ObjectStore, StoredObject

__all__ = [
    "InvokeReply",
    "InvokeRequest",
    "Invoker",
    "LambdaInvoker",
    "ObjectStore",
    "SignedInvoke",
    "StoredObject",
]
