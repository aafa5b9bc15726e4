"""The actions of Lambda's API that moto has not, or not for versions and aliases."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

from moto.awslambda import urls
from moto.awslambda.exceptions import InvalidParameterValueException
from moto.awslambda.responses import LambdaResponse

from infra.cloud.event_invoke import EventInvokeConfig, EventInvokeConfigNotFound, describe, merged
from infra.cloud.functions import LocalLambda, split_reference
from infra.cloud.packages import UNZIPPED_LIMIT_BYTES

__all__ = ["LocalLambdaResponse", "install"]

# AWS Lambda quotas page: storage of all packages, and a zipped package when it is uploaded.
_TOTAL_CODE_BYTES = 75 * 1024**3
_ZIPPED_LIMIT_BYTES = 50 * 1024**2

Answer = tuple[int, dict[str, Any], str]

_NAME = r"(?P<function_name>[^/]+)"
_PATHS = (
    r"{0}/(?P<api_version>[^/]+)/account-settings/?$",
    rf"{{0}}/(?P<api_version>[^/]+)/functions/{_NAME}/provisioned-concurrency/?$",
    rf"{{0}}/(?P<api_version>[^/]+)/functions/{_NAME}/urls/?$",
)


class LocalLambdaResponse(LambdaResponse):
    """Answers Lambda's API, but for invokes."""

    backend: LocalLambda

    # Account.

    def get_account_settings(self) -> str:
        """GetAccountSettings."""
        commitments = self.backend.commitments
        functions = list(self.backend.list_functions())
        limit = {
            "TotalCodeSize": _TOTAL_CODE_BYTES,
            "CodeSizeUnzipped": UNZIPPED_LIMIT_BYTES,
            "CodeSizeZipped": _ZIPPED_LIMIT_BYTES,
            "ConcurrentExecutions": commitments.limit,
            "UnreservedConcurrentExecutions": commitments.unreserved,
        }
        usage = {
            "TotalCodeSize": sum(item.code_size for item in functions),
            "FunctionCount": len(functions),
        }
        return json.dumps({"AccountLimit": limit, "AccountUsage": usage})

    # Provisioned concurrency.

    def put_provisioned_concurrency_config(self) -> Answer:
        """PutProvisionedConcurrencyConfig."""
        name, qualifier = self._named()
        self.backend.put_provisioned(
            name, qualifier, int(self.json_body["ProvisionedConcurrentExecutions"])
        )
        return 202, {"status": 202}, self._provisioned(name, qualifier)

    def get_provisioned_concurrency_config(self) -> str:
        """GetProvisionedConcurrencyConfig."""
        return self._provisioned(*self._checked())

    def delete_provisioned_concurrency_config(self) -> Answer:
        """DeleteProvisionedConcurrencyConfig."""
        name, qualifier = self._checked()
        self._provisioned(name, qualifier)
        self.backend.provisioned.remove(name, qualifier)
        return 204, {"status": 204}, ""

    def list_provisioned_concurrency_configs(self) -> str:
        """ListProvisionedConcurrencyConfigs."""
        name, _ = self._checked()
        found = [
            {
                "FunctionArn": self.backend.arn(name, qualifier),
                **self.backend.provisioned.describe(name, qualifier),
            }
            for qualifier in self.backend.provisioned.configured(name)
        ]
        return json.dumps({"ProvisionedConcurrencyConfigs": found})

    def _provisioned(self, name: str, qualifier: str | None) -> str:
        return json.dumps(self.backend.provisioned.describe(name, qualifier or ""))

    # Asynchronous invokes.

    def put_function_event_invoke_config(self) -> Any:
        """PutFunctionEventInvokeConfig: what is not given has its default."""
        return self._merge(EventInvokeConfig())

    def update_function_event_invoke_config(self) -> Any:
        """UpdateFunctionEventInvokeConfig: what is not given stays."""
        return self._merge(self._config())

    def get_function_event_invoke_config(self) -> Any:
        """GetFunctionEventInvokeConfig."""
        name, qualifier = self._latest()
        return json.dumps(describe(self._config(), self.backend.arn(name, qualifier)))

    def delete_function_event_invoke_config(self) -> Answer:
        """DeleteFunctionEventInvokeConfig."""
        self._config()
        del self.backend.event_invoke[self._latest()]
        return 204, {"status": 204}, ""

    def list_function_event_invoke_configs(self) -> str:
        """ListFunctionEventInvokeConfigs."""
        name, _ = self._checked()
        found = [
            describe(config, self.backend.arn(*key))
            for key, config in self.backend.event_invoke.items()
            if key[0] == name
        ]
        return json.dumps({"FunctionEventInvokeConfigs": found})

    def _config(self) -> EventInvokeConfig:
        key = self._latest()
        if key not in self.backend.event_invoke:
            raise EventInvokeConfigNotFound(self.backend.arn(*key))
        return self.backend.event_invoke[key]

    def _merge(self, config: EventInvokeConfig) -> str:
        key = self._latest()
        self.backend.event_invoke[key] = merged(config, self.json_body)
        return json.dumps(describe(self.backend.event_invoke[key], self.backend.arn(*key)))

    # Function URLs.

    def create_function_url_config(self) -> Answer:
        """CreateFunctionUrlConfig."""
        name, qualifier = self._checked()
        self.backend.open_url(name, qualifier, self.json_body)
        return 201, {"status": 201}, self._url(name, qualifier)

    def get_function_url_config(self) -> Answer:
        """GetFunctionUrlConfig."""
        return 200, {}, self._url(*self._checked())

    def update_function_url_config(self) -> str:
        """UpdateFunctionUrlConfig."""
        name, qualifier = self._checked()
        urls_of = self.backend.urls_of_functions
        urls_of.update(urls_of.find(name, qualifier), self.json_body)
        return self._url(name, qualifier)

    def delete_function_url_config(self) -> Answer:
        """DeleteFunctionUrlConfig."""
        urls_of = self.backend.urls_of_functions
        urls_of.remove(urls_of.find(*self._checked()).id)
        return 204, {"status": 204}, ""

    def list_function_url_configs(self) -> str:
        """ListFunctionUrlConfigs."""
        name, _ = self._checked()
        urls_of = self.backend.urls_of_functions
        found = [
            urls_of.describe(url, self.backend.arn(name, url.qualifier)) for url in urls_of.of(name)
        ]
        return json.dumps({"FunctionUrlConfigs": found})

    def _url(self, name: str, qualifier: str | None) -> str:
        urls_of = self.backend.urls_of_functions
        arn = self.backend.arn(name, qualifier)
        return json.dumps(urls_of.describe(urls_of.find(name, qualifier), arn))

    # Which function, and which of its versions or aliases.

    def _named(self) -> tuple[str, str | None]:
        name, in_name = split_reference(unquote(self.uri_match["FunctionName"]))
        given = self.normalized_request.args.get("Qualifier")
        if given and in_name and given != in_name:
            raise InvalidParameterValueException(
                "The derived qualifier from the function name does not match the specified "
                f"qualifier: {in_name} and {given}"
            )
        return name, in_name or given

    def _checked(self) -> tuple[str, str | None]:
        """The same, where there is such a function, version or alias."""
        name, qualifier = self._named()
        self.backend.get_function(name, qualifier)
        return name, qualifier

    def _latest(self) -> tuple[str, str]:
        """The same, where no qualifier means $LATEST."""
        name, qualifier = self._checked()
        return name, qualifier or "$LATEST"


def install() -> None:
    """Have Lambda's API answered from here, from now on."""
    dispatch = LocalLambdaResponse.dispatch
    LocalLambda.paths = dict.fromkeys((*urls.url_paths, *_PATHS), dispatch)
