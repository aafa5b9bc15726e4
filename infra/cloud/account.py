"""What an account's concurrency is divided into, and what Lambda refuses to give away of it.

Sources: AWS Lambda developer guide, "Configuring reserved concurrency for a function" and
"Configuring provisioned concurrency for a function"; API reference, "GetAccountSettings".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from moto.awslambda.exceptions import InvalidParameterValueException

__all__ = ["Commitments"]

# Of the default quota of 1,000, so much always stays for functions without a reservation.
_LEAST_UNRESERVED = 100


@dataclass(frozen=True)
class Commitments:
    """Concurrency of one account and region: its limit, and what functions have of it by name.

    reserved: set aside by PutFunctionConcurrency. provisioned: of all a function's versions.
    """

    limit: int
    reserved: Mapping[str, int]
    provisioned: Mapping[str, int]

    @property
    def unreserved(self) -> int:
        """The limit less what is reserved, as GetAccountSettings tells it."""
        return self.limit - sum(self.reserved.values())

    def check_reserved(self, function: str, count: int) -> None:
        """Refuse, in Lambda's words, a reservation that leaves too little, or is too small."""
        provisioned = self.provisioned.get(function, 0)
        if count < provisioned:
            raise InvalidParameterValueException(
                f"ReservedConcurrentExecutions  {count} should not be lower than function's total "
                f"provisioned concurrency [{provisioned}]."
            )
        self._check_left({**self.reserved, function: count}, self.provisioned, "Reserved")

    def check_provisioned(self, function: str, count: int) -> None:
        """Refuse provisioned concurrency, of all a function's versions, that there is no room for.

        It comes out of the function's reservation, or else out of what is unreserved.
        """
        reserved = self.reserved.get(function)
        if reserved is not None and count > reserved:
            raise InvalidParameterValueException(
                "Requested Provisioned Concurrency should not be greater than the "
                "reservedConcurrentExecution for function"
            )
        self._check_left(self.reserved, {**self.provisioned, function: count}, "")

    def _check_left(
        self, reserved: Mapping[str, int], provisioned: Mapping[str, int], kind: str
    ) -> None:
        held = {**provisioned, **reserved}
        # An account with a quota below 100 keeps all of it.
        least = min(_LEAST_UNRESERVED, self.limit)
        if self.limit - sum(held.values()) < least:
            raise InvalidParameterValueException(
                f"Specified {kind}ConcurrentExecutions for function decreases account's "
                f"UnreservedConcurrentExecution below its minimum value of [{least}]."
            )
