"""`POST /hooks/PROVIDER/NAME`: what providers of e-mail tell of the e-mails that they sent.

A provider repeats a call until it is answered as it likes. So what can be taken is taken, also beside what cannot: one
bad event among good ones does not make the provider send all of them for ever. While nothing can be written the
answer makes the provider come again; ids made of the provider's own let an event count once however often it comes.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from streams.collector.calls.payloads import Accepted, PayloadError, Problem
from streams.collector.front_door import FrontDoor, Way
from streams.collector.guarding.access import Key
from streams.collector.http.refusals import Refusal
from streams.collector.providers.hook_operations import hook_operation
from streams.collector.providers.provider import Call, Provider, UnknownTypeError
from streams.collector.providers.records import NoContactError, Recording
from streams.collector.providers.settings import PROVIDERS, AnyHook
from streams.fetching import Fetcher

HOOK_BYTES_MAX = 1024**2
HOOK_EVENTS_MAX = 2_500
PROBLEMS_SHOWN_MAX = 5
_STOPS = (400, 413, 415)
"""Statuses of ours with which a call can never be taken."""
_log = logging.getLogger(__name__)


class _Turned(NamedTuple):
    """An event that was not taken."""

    place: int  # in the call
    reason: str
    problems: list[Problem]

    def __str__(self) -> str:
        told = "; ".join(f"{problem.path}: {problem.expected}" if problem.path else problem.expected
                         for problem in self.problems)  # fmt: skip
        return f"[{self.place}] {told}"


class _Sorted(NamedTuple):
    """The events of a call."""

    accepted: list[tuple[str, Accepted]]  # with the event's name
    passed_over: list[int]
    turned_away: list[_Turned]


class Hooks:
    """The hooks of all providers."""

    def __init__(self, hooks: Mapping[str, AnyHook], fetcher: Fetcher, door: FrontDoor, recording: Recording) -> None:
        self._by_provider: dict[str, dict[str, Provider]] = {provider: {} for provider in PROVIDERS}
        for name, hook in hooks.items():
            self._by_provider[hook.provider][name] = hook.connect(fetcher)
        self._door = door
        self._recording = recording

    def ways(self) -> list[Way]:
        """One path for each provider; a hook that is not set is answered 404."""
        return [
            Way(
                f"hook_{provider}",
                f"/hooks/{provider}/{{name}}",
                _Receiver(provider, hooks, self._door, self._recording).receive,
                operation=hook_operation(provider),
            )
            for provider, hooks in self._by_provider.items()
        ]


class _Receiver:
    """Takes the calls of one provider."""

    def __init__(self, provider: str, hooks: Mapping[str, Provider], door: FrontDoor, recording: Recording) -> None:
        self._provider = provider
        self._hooks = hooks
        self._door = door
        self._recording = recording

    async def receive(self, request: Request) -> Response:
        """A call of the provider."""
        name = request.path_params["name"]
        hook = self._hooks.get(name)
        if hook is None:
            return self._door.refuse(Refusal(404, "invalid", "expected the name of a hook in SEGUE_HOOKS"))
        try:
            return await self._take(hook, f"{self._provider}/{name}", request)
        except Refusal as refusal:
            self._count_refused(refusal.reason, 1)
            if refusal.status == 503:
                refusal.status = hook.busy_status
            elif refusal.status in _STOPS:
                refusal.status = hook.stop_status
            _log.warning("a call of the hook %s/%s was refused: %s", self._provider, name, refusal.message)
            return self._door.refuse(refusal)

    async def _take(self, hook: Provider, source: str, request: Request) -> Response:
        body = await self._door.body(request, HOOK_BYTES_MAX)
        now_ms = self._door.clock.now_ms()
        token = request.query_params.get("token")
        events = await hook.opened(Call(request.headers, token, body, now_ms))
        if len(events) > HOOK_EVENTS_MAX:
            raise Refusal(413, "too_large", f"expected at most {HOOK_EVENTS_MAX} events")
        found = self._sort(hook, source, events, now_ms)
        await self._door.write(Key(source), [record for _, record in found.accepted])
        return self._report(hook, source, found)

    def _sort(self, hook: Provider, source: str, events: Sequence[object], now_ms: int) -> _Sorted:
        found = _Sorted([], [], [])
        for index, event in enumerate(events):
            try:
                occurrences = hook.read(event)
            except UnknownTypeError:
                problem = Problem("", "expected a type of event that is known")
                found.turned_away.append(_Turned(index, "unknown_type", [problem]))
                continue
            except PayloadError as error:
                found.turned_away.append(_Turned(index, "invalid", error.problems))
                continue
            if not occurrences:
                found.passed_over.append(index)
            for occurrence in occurrences:
                try:
                    record = self._recording.record_of(occurrence, hook.settings, source, now_ms)
                except PayloadError as error:
                    reason = "unidentified" if isinstance(error, NoContactError) else "invalid"
                    found.turned_away.append(_Turned(index, reason, error.problems))
                else:
                    # A provider says nothing of consent.
                    about = {"type": record.type, "event": occurrence.meaning.event}
                    if self._door.screening.withholds(about, source, ()):
                        record = record._replace(withheld=True)
                    found.accepted.append((occurrence.meaning.event or "", record))
        return found

    def _report(self, hook: Provider, source: str, found: _Sorted) -> Response:
        """Counted only here, when all is written: a call that comes again counts once."""
        self._count_events(event for event, _ in found.accepted)
        self._count_events("passed_over" for _ in found.passed_over)
        for turned in found.turned_away:
            self._count_refused(turned.reason, 1)
        body: dict[str, object] = {"accepted": len(found.accepted), "passed_over": len(found.passed_over)}
        status = 200
        if found.turned_away:
            shown = found.turned_away[:PROBLEMS_SHOWN_MAX]
            _log.warning("%d events of the hook %s were turned away: %s", len(found.turned_away), source,
                         "; ".join(str(turned) for turned in shown))  # fmt: skip
            body["turned_away"] = len(found.turned_away)
            body["problems"] = [str(turned) for turned in shown]
            known = any(turned.reason != "unknown_type" for turned in found.turned_away)
            if known and not found.accepted and not found.passed_over:
                status = hook.stop_status
        return JSONResponse(body, status)

    def _count_events(self, events: Iterable[str]) -> None:
        for event in events:
            self._door.meters.counter("segue_collector_hook_events_total", event, self._provider).inc()

    def _count_refused(self, reason: str, count: int) -> None:
        self._door.meters.counter("segue_collector_hook_refused_total", self._provider, reason).inc(count)
