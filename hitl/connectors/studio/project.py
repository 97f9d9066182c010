"""A campaign's projects on a Label Studio, one for each queue: found by their marks or made, and their settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any, get_args

from hitl.connectors.studio.http import Http
from hitl.errors import ServerRefused
from hitl.tasks import Form, instruction, render
from hitl.tasks.form import LABEL
from hitl.types import Queue

QUEUES: tuple[Queue, ...] = get_args(Queue)

SETTINGS: dict[str, Any] = {
    "sampling": "Uncertainty sampling",
    "maximum_annotations": 1,
    "overlap_cohort_percentage": 100,
    "skip_queue": "REQUEUE_FOR_OTHERS",
    "show_skip_button": True,
    "show_overlap_first": False,
    "annotator_evaluation_enabled": False,
    "enable_empty_annotation": False,
}
"""What makes the server ask the most important first, one person each, and offer skipped tasks to others."""

BLIND: dict[str, Any] = {
    "show_collab_predictions": False,
    "show_annotation_history": False,
    "evaluate_predictions_automatically": False,
    "reveal_preannotations_interactively": False,
}
"""What keeps the model's opinion, and what others did, out of the labeling stream."""

PAGE = 100
"""Projects that are listed at once; the server gives no more."""

_ALSO_TOLD = ("title", "is_published", "show_instruction")


@dataclass(frozen=True)
class Project:
    """Where the tasks of one queue of a campaign are, under one version of a policy."""

    id: int
    campaign: str
    form: Form


def mark(campaign: str, form: Form) -> str:
    """What a project's description says to be found again: campaign, policy version, what can be answered, the queue.

    The look of the page is left out: a project stays the campaign's when only that changes.
    """
    meaning = repr((form.name, form.modality, form.policy.multi_label, form.choices, form.noted, *form.ratings.items()))
    named = f"hitl:{campaign}:{form.policy.version}:{blake2b(meaning.encode(), digest_size=6).hexdigest()}"
    return f"{named}:{form.queue}" if form.queue else named


def wanted(queue: Queue, *, show_predictions: bool) -> dict[str, Any]:
    """How the project of a queue is to be set up; an exam is the same for everybody, in the order of its import."""
    order = {"sampling": "Sequential sampling"} if queue == "exam" else {}
    settings = {**SETTINGS, **order, **BLIND, "show_collab_predictions": show_predictions}
    if show_predictions:
        # Whether the page asks a backend for them is a matter of the backend.
        del settings["evaluate_predictions_automatically"]
    return settings


def find(http: Http, campaign: str, form: Form) -> dict[Queue, Project]:
    """The campaign's projects that exist, by queue; a request for a hundred projects of the server."""
    forms: dict[Queue, Form] = {queue: replace(form, queue=queue) for queue in QUEUES}
    marks = {mark(campaign, one): queue for queue, one in forms.items()}
    found: dict[Queue, list[int]] = {}
    for row in _listed(http, "id,description"):
        for line in str(row["description"]).splitlines():
            if line in marks:
                found.setdefault(marks[line], []).append(int(row["id"]))
    return {queue: Project(_chosen(http, ids), campaign, forms[queue]) for queue, ids in found.items()}


def find_or_make(http: Http, campaign: str, form: Form, title: str, *, show_predictions: bool) -> Project:
    """The project with the campaign's mark for the form's queue, made when there is none.

    Raises `ServerRefused` when the server does not take the label config.
    """
    found = find(http, campaign, form).get(form.queue)
    if found is None:
        page = render(form)
        http.rewrite("POST", "/api/projects/validate/", {"label_config": page})
        http.write(
            "POST",
            "/api/projects/",
            {
                "title": _title(title, form),
                "description": f"Made by hitl; its tasks and answers belong to a campaign.\n{mark(campaign, form)}",
                "label_config": page,
                "expert_instruction": instruction(form),
                "show_instruction": False,
                **wanted(form.queue, show_predictions=show_predictions),
            },
        )
        # Two makers at once, or a request that arrives twice, both see the same oldest one.
        found = find(http, campaign, form).get(form.queue)
    if found is None:
        raise ServerRefused(f"the project that was just made on {http.url} is not listed there; may this user see it?")
    return found


def setup(http: Http, projects: Mapping[Queue, Project]) -> dict[str, Any]:
    """How the projects are set up now, as short plain values by `queue/setting`; one request.

    The model version is left out: pushes and refreshes change it as they should. O(projects).
    """
    if not projects:
        return {}
    names = (*SETTINGS, *BLIND, *_ALSO_TOLD)
    fields = ",".join(("id", *names, "label_config", "expert_instruction", "parsed_label_config"))
    ids = {project.id: queue or "main" for queue, project in projects.items()}
    told: dict[str, Any] = {}
    for row in _listed(http, fields, ids):
        values = {name: row.get(name) for name in names}
        values["label_config"] = _digest(row.get("label_config"))
        values["instruction"] = _digest(row.get("expert_instruction"))
        values["choices"] = " · ".join(choices(row))
        told |= {f"{ids[row['id']]}/{name}": value for name, value in sorted(values.items())}
    return told


def choices(row: Mapping[str, Any]) -> tuple[str, ...]:
    """What can be chosen on a project's page, as the server reads its label config."""
    control = (row.get("parsed_label_config") or {}).get(LABEL) or {}
    return tuple(sorted(map(str, control.get("labels", ()))))


def strays(row: Mapping[str, Any], project: Project, *, show_predictions: bool) -> dict[str, Any]:
    """The settings in which a project, as the server tells of it, is not as wanted: name → what it should be."""
    should = {**wanted(project.form.queue, show_predictions=show_predictions), "label_config": render(project.form)}
    return {name: value for name, value in should.items() if name in row and row[name] != value}


def _listed(http: Http, include: str, ids: Iterable[int] = ()) -> list[dict[str, Any]]:
    only = {"ids": ",".join(map(str, ids))} if ids else {}
    asked = {"include": include, "page_size": PAGE, **only}
    return http.rows("/api/projects/", asked, under="results", each=include.split(",")[:2])


def _chosen(http: Http, ids: list[int]) -> int:
    """Of twins the oldest with tasks, so that what one maker filled is not left for an older one that is empty."""
    if len(ids) == 1:
        return ids[0]
    filled = [number for number in sorted(ids) if http.row(f"/api/projects/{number}/").get("task_number")]
    return min(filled or ids)


def _title(title: str, form: Form) -> str:
    parts = [title[:30], form.queue] if form.queue else [title]
    return " · ".join([*parts, f"{form.policy.name} v{form.policy.version}"])[:50]


def _digest(text: object) -> str:
    return blake2b(str(text or "").encode(), digest_size=6).hexdigest()
