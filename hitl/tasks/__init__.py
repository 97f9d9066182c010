"""What people are asked: forms pinned to a policy version, and the tasks that picks become."""

from hitl.tasks.answers import encode, parse, prediction
from hitl.tasks.form import Form, FormName, Modality, usual
from hitl.tasks.page import render
from hitl.tasks.task import Asking, make_tasks, served_by, task_key
from hitl.tasks.wording import guidance, instruction

__all__ = [
    "Asking",
    "Form",
    "FormName",
    "Modality",
    "encode",
    "guidance",
    "instruction",
    "make_tasks",
    "parse",
    "prediction",
    "render",
    "served_by",
    "task_key",
    "usual",
]
