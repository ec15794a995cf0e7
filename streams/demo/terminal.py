"""The demo on a terminal: one picture that moves."""

from __future__ import annotations

from itertools import cycle

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from streams.demo.moves import Moved
from streams.demo.show import Show, clock, is_entry, milliseconds, time_of_day

_BAR_CELLS = 5
_TIER_CELLS = 22
_SEGMENT_CHARACTERS = 18
_LABEL_CHARACTERS = 11
_GUEST_MOVES = 3
_WIDE = 100
"""From this many columns on, a transition's line says everything."""
_TIER_STYLES = ("blue", "yellow", "red")


class TerminalScreen:
    """Takes the whole terminal while the shop is open."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None

    def say(self, text: str) -> None:
        """One line on what the demo does now."""
        self._console.print(Text(text, style="dim"))

    def open(self, show: Show) -> None:
        """Show the picture."""
        self._live = Live(self._picture(show), console=self._console, screen=True, auto_refresh=False)
        self._live.start()

    def refresh(self, show: Show) -> None:
        """Show it anew."""
        if self._live is not None:
            self._live.update(self._picture(show), refresh=True)

    def close(self) -> None:
        """Give the terminal back."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _picture(self, show: Show) -> RenderableType:
        return picture(show, self._console.width, self._console.height)


def picture(show: Show, width: int, height: int) -> RenderableType:
    """The picture, made for `width` columns and `height` lines: at least 80 and 24 show all of it."""
    tables = Table.grid(padding=(0, 1, 0, 0))
    segments, flow = _segments(show), _flow(show)
    tables.add_row(segments, flow)
    guest = _guest(show, width)
    # Beside the tables: the title, how to join in and to change it, two rules, and the heading of the segments.
    room = max(1, height - max(segments.row_count + 1, flow.row_count) - 5 - len(guest))
    return Group(
        _title(show, width),
        Text(f" join in with a browser: {show.storefront}", "bold", no_wrap=True, overflow="crop"),
        Text(f" change it elsewhere: . {show.shell}; segue plan $SHOP", "dim", no_wrap=True, overflow="crop"),
        Rule(style="dim"),
        tables,
        *guest,
        Rule("last transitions, and why", style="dim"),
        *[_moved(moved, show, width) for moved in _last(show)[-room:]],
    )


def _guest(show: Show, width: int) -> list[RenderableType]:
    """The person at the browser has lines apart, since all the others move on quickly."""
    guests = show.tally.guests
    if not guests.moves:
        return []
    title = Text.assemble("you are in ", (", ".join(guests.segments) or "no segment", "bold green"))
    title.truncate(width - 6, overflow="ellipsis")
    return [Rule(title, style="green"), *[_moved(moved, show, width) for moved in list(guests.moves)[-_GUEST_MOVES:]]]


def _last(show: Show) -> list[Moved]:
    """Who enters a tier has left another: that line would say it twice."""
    return [one for one in show.tally.last if one.transition.segment not in show.tiers or is_entry(one.transition)]


def _title(show: Show, width: int) -> Text:
    until = "Ctrl-C ends it" if show.seconds is None else f"of {clock(show.seconds)}"
    shop = "closing: what is under way is waited for" if show.closing else f"{show.visitors} visitors in the shop"
    title = Text(f" Segue demo  {clock(show.elapsed_s)} {until}  {shop}")
    title.truncate(width, pad=True)
    title.stylize("reverse")
    return title


def _segments(show: Show) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="dim")
    table.add_column("segment", no_wrap=True, min_width=_SEGMENT_CHARACTERS)
    table.add_column("now", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("in", justify="right", no_wrap=True)
    table.add_column("out", justify="right", no_wrap=True)
    shown = {name: one for name, one in show.tally.segments.items() if name not in show.tiers}
    largest = max((one.members for one in shown.values()), default=0) or 1
    for name, one in shown.items():
        bar = "█" * round(_BAR_CELLS * one.members / largest)
        table.add_row(
            name, f"{one.members:,}", Text(bar.ljust(_BAR_CELLS), style="cyan"), f"{one.entered:,}", f"{one.exited:,}"
        )
    return table


def _flow(show: Show) -> Table:
    tally, webhooks = show.tally, show.tally.webhooks
    table = Table(box=None, padding=(0, 1, 0, 0), show_header=False)
    table.add_column(style="dim", no_wrap=True, min_width=_LABEL_CHARACTERS)
    table.add_column(no_wrap=True)
    accepted = sum(show.traffic.accepted.values())
    table.add_row("collector", f"{accepted:,} events, {tally.events_per_second:.0f}/s")
    table.add_row("log", f"{tally.log_records:,} records, {tally.records['tick']:,} ticks")
    table.add_row("worker", f"lag {show.lag:,}")
    table.add_row("machines", f"{tally.corrections:,} clicks taken back")
    table.add_row(
        "transitions", Text(f"{tally.transitions:,}, {tally.transitions_per_second:.0f}/s").append_text(_faults(show))
    )
    for name, latency in (("by event", tally.event_latency), ("by time", tally.timer_latency)):
        half, most = milliseconds(latency.percentile_ms(0.5)), milliseconds(latency.percentile_ms(0.99))
        table.add_row(f" {name}", f"p50 {half}, p99 {most}")
    difference = tally.recomputation.difference
    table.add_row("recomputed", "[red]differs" if difference else f"{tally.recomputation.equal:,} the same")
    table.add_row("webhooks", f"{webhooks.delivered:,}, {len(webhooks.undelivered):,} under way")
    table.add_row("signatures", f"[red]{webhooks.refused:,} refused" if webhooks.refused else "all good")
    table.add_row("score tiers", _tiers(show))
    return table


def _faults(show: Show) -> Text:
    return Text(f" {show.tally.faults[0]}", "red") if show.tally.faults else Text(", no gap")


def _tiers(show: Show) -> Text:
    sizes = {name: show.tally.segments[name].members for name in show.tiers}
    total = sum(sizes.values()) or 1
    bar = Text()
    for (name, size), style in zip(sizes.items(), cycle(_TIER_STYLES)):
        label = f" {name.removeprefix('tier_')} {size} "
        bar.append(label.ljust(round(_TIER_CELLS * size / total)), style=f"black on {style}")
    return bar


def _moved(moved: Moved, show: Show, width: int) -> Text:
    transition = moved.transition
    entered = is_entry(transition)
    wide = width >= _WIDE
    line = Text(no_wrap=True)
    line.append(f"{time_of_day(transition.effective_at)[: 12 if wide else 8]} ", style="dim")
    line.append(f"{transition.contact_id:<13} ")
    words = ("entered ", "left    ") if wide else ("in  ", "out ")
    line.append(words[0] if entered else words[1], style="green" if entered else "magenta")
    line.append(f"{transition.segment:<{_SEGMENT_CHARACTERS}} ", style="bold")
    by_time = transition.cause.kind == "timer"
    by_time_words = "time: " if wide else "◷ "
    line.append(by_time_words if by_time else "• ", style="yellow" if by_time else "cyan")
    line.append(show.phrases.why(transition))
    if wide:
        line.append(f"  +{moved.latency_ms} ms", style="dim")
    line.truncate(width, overflow="ellipsis")
    return line
