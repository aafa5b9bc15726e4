"""One parameter of Systems Manager's Parameter Store, read when it is wanted."""

from __future__ import annotations

from warmer.aws.service import Service
from warmer.errors import ConfigurationError, ServiceError

__all__ = ["Parameters"]


class Parameters:
    """Reads parameters. Standard ones, and reading them, cost nothing."""

    def __init__(self, *, region: str | None = None, endpoint_url: str | None = None) -> None:
        self._service = Service("ssm", region=region, endpoint_url=endpoint_url)

    def prepare(self) -> None:
        """Make the client now. Raises ConfigurationError."""
        self._service.prepare()

    def close(self) -> None:
        """Close all connections."""
        self._service.close()

    def value(self, name: str) -> str:
        """The value of a parameter, decrypted if it is a SecureString: GetParameter.

        Raises ConfigurationError where there is no such parameter, ServiceError for other refusals.
        """
        try:
            answer = self._service.ask(
                "get_parameter", "ssm:GetParameter", Name=name, WithDecryption=True
            )
        except ServiceError as error:
            if error.code not in ("ParameterNotFound", "ValidationException"):
                raise
            raise ConfigurationError(
                "the name of the SSM parameter", name, "that of a parameter in this region"
            ) from error
        return str(answer["Parameter"]["Value"])
