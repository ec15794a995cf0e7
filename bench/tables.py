"""What a command has measured: tables for people, and the same as JSON for machines."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

Cell: TypeAlias = str | int | float | None


@dataclass(frozen=True)
class Table:
    """Rows of figures under their names, units in the names."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    notes: Sequence[str] = ()

    def text(self) -> str:
        """Aligned columns under the title, then the notes."""
        shown = [list(self.columns), *([_shown(cell) for cell in row] for row in self.rows)]
        widths = [max(len(row[place]) for row in shown) for place in range(len(self.columns))]
        lines = ["  ".join(_aligned(row, widths)).rstrip() for row in shown]
        return "\n".join([self.title, *(f"  {line}" for line in lines), *(f"  {note}" for note in self.notes)])

    def plain(self) -> dict[str, object]:
        """For JSON: each row with the names of its columns."""
        rows = [dict(zip(self.columns, row, strict=True)) for row in self.rows]
        return {"title": self.title, "rows": rows, "notes": list(self.notes)}


def add_json(parser: argparse.ArgumentParser) -> None:
    """The option that all commands have."""
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to this file, too")


def publish(command: str, tables: Sequence[Table], json_file: Path | None) -> None:
    """Print the tables, and write them to the file where one was asked for."""
    for table in tables:
        sys.stdout.write(table.text() + "\n\n")
    sys.stdout.flush()
    if json_file is not None:
        json_file.parent.mkdir(parents=True, exist_ok=True)
        body = {"command": command, "machine": machine(), "tables": [table.plain() for table in tables]}
        json_file.write_text(json.dumps(body, indent=1, ensure_ascii=False) + "\n")


def machine() -> dict[str, object]:
    """What the figures were measured on, and when."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "load_average": round(os.getloadavg()[0], 2),
        "measured_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def progress(line: str) -> None:
    """Tell on standard error what is under way."""
    sys.stderr.write(f"bench: {line}\n")
    sys.stderr.flush()


def _processor() -> str:
    described = Path("/proc/cpuinfo")
    if described.exists():
        for line in described.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()


def _aligned(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    # The first column names its row; figures stand under one another.
    return [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]


def _shown(cell: Cell) -> str:
    if cell is None:
        return "-"
    if isinstance(cell, float):
        return f"{cell:,.0f}" if abs(cell) >= 100 else f"{cell:.3g}" if abs(cell) < 1 else f"{cell:.1f}"
    return f"{cell:,}" if isinstance(cell, int) else cell
