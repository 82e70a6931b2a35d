"""What a verification says at its end: for people, or as JSON for programs."""

from dataclasses import asdict, dataclass

import orjson
from rich.console import Console

from service.audit.verify.findings import MAX_LISTED, Findings
from service.console import output


@dataclass
class Summary:
    """How much was looked at. `size`: leaves of the tree. `rows`: of the read models."""

    source: str
    events: int
    size: int
    checkpoints: int
    aggregates: int = 0
    rows: int = 0


def as_json(summary: Summary, findings: Findings) -> bytes:
    return orjson.dumps(
        {
            "sound": not findings.count,
            **asdict(summary),
            "faults": [
                {"kind": fault.kind, "text": fault.text, "first": fault.first or None, "last": fault.last or None}
                for fault in findings
            ],
            "fault_count": findings.count,
            "notes": findings.notes,
        },
        option=orjson.OPT_APPEND_NEWLINE,
    )


def show(summary: Summary, findings: Findings, *, json: bool) -> None:
    if json:
        out = output()
        out.write(as_json(summary, findings))
        out.flush()
        return
    console = Console(highlight=False, soft_wrap=True)
    console.print(
        f"{summary.source}: {summary.events:,} events, {summary.size:,} of them in the tree, "
        f"{summary.checkpoints:,} checkpoints, {summary.aggregates:,} aggregates, {summary.rows:,} rows"
    )
    for note in findings.notes:
        console.print(f"[dim]{note}[/dim]")
    for fault in findings:
        console.print(f"[red]{fault.text}[/red]")
    if findings.count > MAX_LISTED:
        console.print(f"[red]and {findings.count - MAX_LISTED:,} more faults[/red]")
    console.print("[bold red]not sound[/bold red]" if findings.count else "[bold green]sound[/bold green]")
