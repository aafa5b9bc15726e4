"""The HTTP API that template.yaml puts before the inference function, by choice."""

from __future__ import annotations

import pytest

from tests.build.test_translation import translate


@pytest.fixture(autouse=True)
def region(monkeypatch: pytest.MonkeyPatch) -> None:
    """The transform asks for the region's partition."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")


def test_an_http_api_verifies_tokens_for_all_that_it_passes_on() -> None:
    """One route, with a JWT authoriser, to the alias, as payload format 2.0; nothing beside it.

    AWS page: API Gateway developer guide, "Control access to HTTP APIs with JWT authorizers".
    """
    resources = translate({})["Resources"]
    api = resources["InferenceApi"]
    assert api["Condition"] == "TokensAreTaken"
    body = api["Properties"]["Body"]
    authorizer = body["components"]["securitySchemes"]["Tokens"]["x-amazon-apigateway-authorizer"]
    assert authorizer == {
        "type": "jwt",
        "identitySource": "$request.header.Authorization",
        "jwtConfiguration": {"issuer": {"Ref": "JwtIssuer"}, "audience": [{"Ref": "JwtAudience"}]},
    }
    assert list(body["paths"]) == ["/$default"]
    ((method, route),) = body["paths"]["/$default"].items()
    assert method == "x-amazon-apigateway-any-method"
    assert route["security"] == [{"Tokens": []}]
    integration = route["x-amazon-apigateway-integration"]
    assert integration["payloadFormatVersion"] == "2.0"
    alias = {"Ref": "InferenceFunctionAliaslive"}
    assert integration["uri"]["Fn::Sub"][1] == {"Alias": alias}
    permission = resources["InferenceApiPermission"]["Properties"]
    assert permission["FunctionName"] == alias
    assert permission["SourceArn"]["Fn::Sub"].endswith("${InferenceApi}/*")
