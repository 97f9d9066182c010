"""What people are asked: forms pinned to a policy version, and the tasks that picks become."""

from hitl.tasks.form import Form, encode, guidance, instruction, parse, prediction, render
from hitl.tasks.task import Asking, make_tasks, task_key

__all__ = [
    "Asking",
    "Form",
    "encode",
    "guidance",
    "instruction",
    "make_tasks",
    "parse",
    "prediction",
    "render",
    "task_key",
]
