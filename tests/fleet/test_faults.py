"""Waves over real sockets when the network, the endpoint or the environments fail."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from infra.bench.loopback import LoopbackProcess
from tests.fleet.endpoint import Answer, Function, serving
from warmer.aws import LambdaInvoker
from warmer.errors import ConfigurationError
from warmer.fleet import Outcome, Target, WaveSettings, run_wave, warm
from warmer.fleet.budget import ConcurrencyLimits
from warmer.fleet.report import WaveReport

TEN = Target("digits", None, 10)


class Lossy(Function):
    """Every other ping is taken, and never answered."""

    def __init__(self) -> None:
        super().__init__()
        self.over = threading.Event()
        self.numbers = count()

    def answer(self, context: object) -> Answer:
        """See `Function.answer`."""
        is_lost = next(self.numbers) % 2
        reply = super().answer(context)
        if is_lost:
            self.over.wait(20)
        return reply


def test_half_of_the_replies_lost_is_counted_as_time_outs() -> None:
    """Who has answered is proven, the rest has a name, and all of it adds up."""
    digits = Lossy()
    settings = WaveSettings(max_rounds=1, answer_seconds=1.0, spare=0)
    with serving({"digits": digits}) as url:
        report = run_wave(TEN, LambdaInvoker(endpoint_url=url), settings=settings)
        digits.over.set()

    assert sum(report.outcomes.values()) == report.sent == digits.invokes
    assert report.outcomes[Outcome.TIMEOUT] == 5
    assert 1 <= report.proven < 10
    assert not report.ok


@pytest.fixture
def black_hole() -> Iterator[str]:
    """An endpoint whose connections never open: its queue of them is full."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        waiting = [socket.socket() for _ in range(3)]
        for client in waiting:
            client.setblocking(False)
            client.connect_ex(server.getsockname())
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        for client in waiting:
            client.close()


def test_a_subnet_without_a_way_to_lambda_is_named_and_soon(black_hole: str) -> None:
    """Thirty targets cost one time-out, not thirty, and the diagnosis says what is missing."""
    targets = [Target(f"function-{number}", "live", 3) for number in range(30)]
    began = time.monotonic()

    reports = warm(targets, LambdaInvoker(endpoint_url=black_hole))

    assert time.monotonic() - began < 8
    assert "needs a NAT gateway or an interface endpoint for Lambda" in reports[0].problems[0]
    assert reports[0].outcomes == {Outcome.UNREACHABLE: 1}
    assert all("no connection to Lambda for function-0" in r.problems[0] for r in reports[1:])
    assert sum(report.sent for report in reports) == 1


def test_an_endpoint_without_an_address_is_named() -> None:
    """A name that does not resolve is another diagnosis."""
    report = run_wave(TEN, LambdaInvoker(endpoint_url="http://lambda.invalid:1"))

    assert report.outcomes == {Outcome.UNREACHABLE: 1}
    assert "has no address" in report.problems[0]


def test_a_run_out_of_time_says_what_it_did_not_do() -> None:
    """Waves that got their turn are reported as they went, the others as not pinged."""
    digits = Function(init_seconds=1.0)
    with serving({"digits": digits}) as url:
        invoker = LambdaInvoker(endpoint_url=url)
        invoker.prepare()
        reports = warm(
            [TEN, Target("digits", None, 9), Target("digits", None, 8)],
            invoker,
            deadline=time.monotonic() + 5.9,
            limits=ConcurrencyLimits(unreserved=12),  # one wave at a time
        )

    assert [report.sent for report in reports] == [1, 0, 0]
    assert "s left are too few for another round" in reports[0].problems[0]
    assert all("was not pinged" in report.problems[0] for report in reports[1:])
    assert all("s were left" in report.problems[0] for report in reports[1:])


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoopbackProcess]:
    """An endpoint over TLS, with an authority of its own."""
    with LoopbackProcess(tmp_path_factory.mktemp("tls")) as endpoint:
        yield endpoint


def wave(endpoint: LoopbackProcess) -> WaveReport:
    """A wave of ten."""
    return run_wave(TEN, LambdaInvoker(endpoint_url=endpoint.url))


def test_pings_go_over_tls(encrypted: LoopbackProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the authority that AWS_CA_BUNDLE names."""
    monkeypatch.setenv("AWS_CA_BUNDLE", str(encrypted.ca_bundle))

    report = wave(encrypted)

    assert report.proven == 10
    assert encrypted.figures()["connections"] >= 10


def test_a_certificate_of_an_unknown_authority_is_refused(encrypted: LoopbackProcess) -> None:
    """Nothing is sent, and the reason is told."""
    report = wave(encrypted)

    assert report.outcomes == {Outcome.UNREACHABLE: 1}
    assert "certificate verify failed" in report.problems[0]


def test_a_bundle_that_is_none_is_refused(
    encrypted: LoopbackProcess, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The setting is named."""
    (tmp_path / "ca.pem").write_text("no certificate")
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "ca.pem"))

    with pytest.raises(ConfigurationError, match="AWS_CA_BUNDLE"):
        LambdaInvoker(endpoint_url=encrypted.url).prepare()


def test_a_proxy_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pings do not go through one; the remedy is named."""
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    monkeypatch.delenv("no_proxy", raising=False)

    with pytest.raises(ConfigurationError, match="NO_PROXY"):
        LambdaInvoker().prepare()
