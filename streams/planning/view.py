"""A plan as JSON, in the shape that `ops/change-definitions.md` describes. Instants are RFC 3339."""

from __future__ import annotations

from typing import Any, TypeAlias

from schemas.instants import format_instant
from streams.planning.plan import Plan, Reasons, Sample, ScoreChange, SegmentChange

View: TypeAlias = dict[str, Any]


def plan_view(plan: Plan) -> View:
    """A plan."""
    return {
        "before": {"number": plan.before_number, "hash": plan.before_hash, "semantics": plan.before_semantics},
        "after": {"hash": plan.after_hash, "semantics": plan.after_semantics},
        "partitions": plan.partitions,
        "records": plan.records,
        "behind": plan.behind,
        "log_begins": format_instant(plan.log_begins_ms),
        "log_is_cut": plan.log_is_cut,
        "as_of": format_instant(plan.as_of_ms),
        "entering": plan.entering,
        "leaving": plan.leaving,
        "segments": [_segment(segment) for segment in plan.segments],
        "scores": [_score(score) for score in plan.scores],
        "short_history": [{"path": each.place, "looks_back_ms": each.needs_ms} for each in plan.short],
        "lists": [{"list": one.name, "put_on": one.put_on, "taken_off": one.taken_off} for one in plan.lists],
        "contacts": plan.contacts,
        "looked_at": plan.looked_at,
        "bytes_a_contact": {
            "before": _each(plan.bytes_before, plan.looked_at),
            "after": _each(plan.bytes_after, plan.looked_at),
        },
    }


def _each(total: int, count: int) -> int | None:
    return round(total / count) if count else None


def _segment(change: SegmentChange) -> View:
    return {
        "segment": change.name,
        "change": change.kind,
        "tags": list(change.tags),
        "members_before": change.members_before,
        "members_after": change.members_after,
        "entering": change.entering,
        "leaving": change.leaving,
        "samples": [_sample(sample) for sample in change.samples],
    }


def _sample(sample: Sample) -> View:
    return {
        "contact_id": sample.contact_id,
        "enters": sample.enters,
        "before": _reasons(sample.before),
        "after": _reasons(sample.after),
    }


def _reasons(reasons: Reasons | None) -> View | None:
    return None if reasons is None else {"member": reasons.member, "conditions": list(reasons.lines)}


def _score(change: ScoreChange) -> View:
    return {
        "score": change.name,
        "change": change.kind,
        "tiers_before": dict(sorted(change.before.items())),
        "tiers_after": dict(sorted(change.after.items())),
        "moves": [{"from": was, "to": now, "contacts": count} for (was, now), count in sorted(change.moves.items())],
    }
