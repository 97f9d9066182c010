"""Policies that contradict themselves, or cannot stand on a page that people read."""

from __future__ import annotations

from bad import Bad, file

from hitl.errors import ConfigError, PolicyError
from hitl.policy import Policy

GOOD = "name: p\nversion: 1\nlabels:\n- {name: ok, violating: false}\n- {name: bad}\n"
LABELS = "labels: [{name: ok, violating: false}, {name: bad}]\n"


def whole(kind: str, content: str, *words: str, error: type[ConfigError] = PolicyError) -> Bad:
    return Bad(f"policy: {kind}", file("policy.yaml", content), Policy.load, error, ("policy.yaml", *words))


def label(kind: str, given: str, *words: str) -> Bad:
    return whole(f"a label: {kind}", f"{GOOD}- {{{given}}}\n", "labels.2", *words)


def region(kind: str, given: str, *words: str) -> Bad:
    return whole(kind, f"{GOOD}regions: {given}\n", *words)


def moved(kind: str, given: str, *words: str) -> Bad:
    return whole(kind, f"{GOOD}migration: {given}\n", *words)


CASES = [
    whole("no name", f"version: 1\n{LABELS}", "name: is missing", "write it"),
    whole("no version", f"name: p\n{LABELS}", "version: is missing"),
    whole("no labels", "name: p\nversion: 1\n", "labels: is missing"),
    whole("an empty list of labels", "name: p\nversion: 1\nlabels: []\n", "labels", "at least 1"),
    whole("one label", "name: p\nversion: 1\nlabels: [{name: b}]\n", "two labels or more"),
    whole("labels as a mapping", "name: p\nversion: 1\nlabels: {a: b}\n", "labels", "tuple"),
    whole("labels as a word", "name: p\nversion: 1\nlabels: zonk\n", "labels", "tuple"),
    whole("no label for what is fine", "name: p\nversion: 1\nlabels: [{name: a}, {name: b}]\n", "violating: false"),
    whole("nothing violates", GOOD.replace("- {name: bad}", "- {name: b, violating: false}"), "no label violates"),
    whole("a key misspelt", f"{GOOD}lables: []\n", "lables: no such key", "'labels'"),
    whole("several as a word", f"{GOOD}multi_label: perhaps\n", "multi_label", "boolean"),
    whole("an empty name", f"name: ''\nversion: 1\n{LABELS}", "name", "at least 1"),
    whole("a name that moves the terminal", f'name: "p\\e[31m"\nversion: 1\n{LABELS}', "name", "invisible"),
    whole("a name too long", f"name: {'p' * 201}\nversion: 1\n{LABELS}", "name", "at most 200"),
    whole("a version that is a list", f"name: p\nversion: [1]\n{LABELS}", "version", "string"),
    whole("a version that is true", f"name: p\nversion: true\n{LABELS}", "version", "string"),
    whole("a version that is no number", f"name: p\nversion: .nan\n{LABELS}", "version", "string"),
    whole("an empty version", f"name: p\nversion: ''\n{LABELS}", "version", "at least 1"),
    whole("a version too long for the record", f"name: p\nversion: {'x' * 61}\n{LABELS}", "version", "at most 60"),
    whole("a version of two lines", f'name: p\nversion: "1\\n2"\n{LABELS}', "version", "line breaks"),
    label("a cost below zero", "name: c, severity: -1", "severity", "greater than or equal to 0"),
    label("a cost that is no number", "name: c, severity: .nan", "severity", "finite"),
    label("a cost without end", "name: c, severity: 1e999", "severity", "finite"),
    label("a cost in words", "name: c, severity: high", "severity", "number"),
    label("a wrong action that costs less than nothing", "name: c, wrong_action_cost: -3", "wrong_action_cost"),
    label("a threshold above 1", "name: c, actions: {remove: 1.5}", "actions.remove", "less than or equal to 1"),
    label("a threshold below 0", "name: c, actions: {review: -0.1}", "actions.review", "greater than or equal to 0"),
    label("thresholds that fall", "name: c, actions: {remove: .2, review: .9}", "actions", "review <= limit <= remove"),
    label("a threshold that is no number", "name: c, actions: {remove: .nan}", "actions.remove"),
    label("an action that is not known", "name: c, actions: {ban: .9}", "actions.ban", "no such key"),
    label("actions as a list", "name: c, actions: [.9]", "actions", "dictionary"),
    label("a threshold as a sum", "name: c, actions: {remove: 90%}", "actions.remove", "number"),
    whole("a label twice", f"{GOOD}- {{name: bad}}\n", "read alike: bad", "keep one"),
    whole("labels that differ in case alone", f"{GOOD}- {{name: BAD}}\n", "read alike: bad, BAD"),
    whole("letters put together otherwise", f"{GOOD}- {{name: caf\u00e9}}\n- {{name: cafe\u0301}}\n", "read alike"),
    whole("letters of another width", f"{GOOD}- {{name: \uff42\uff41\uff44}}\n", "read alike"),
    label("a name with a zero width space", "name: 'b\u200bad'", "name", "invisible"),
    label("a name that turns its direction", "name: 'b\u202ead'", "name", "invisible"),
    label("a name with a control character", r'name: "b\x1bad"', "name", "invisible"),
    label("a name of two lines", r'name: "b\nad"', "name", "line breaks"),
    label("a name with a tab", r'name: "b\tad"', "name", "invisible"),
    label("a name with a comma", "name: 'b,ad'", "name", "no commas"),
    label("a name with a blank before it", "name: ' b'", "name", "blanks"),
    label("a name of nothing", "name: ''", "name", "at least 1"),
    label("a name that every form offers", "name: unsure", "name", "kept for an answer"),
    label("a name for none of them", "name: (none)", "name", "kept for an answer"),
    label("a name that is a variable of the page", "name: $text", "name", "no $ in front", "rename"),
    label("a name too long", f"name: {'x' * 61}", "name", "at most 60"),
    label("a name that is a number", "name: 3", "name", "string"),
    label("a name left out", "severity: 3", "name: is missing"),
    label("a key of a label misspelt", "name: c, severty: 3", "severty: no such key", "'severity'"),
    whole("a label that is a word", f"{GOOD}- zonk\n", "labels.2", "dictionary"),
    whole("a label that is nothing", f"{GOOD}-\n", "labels.2", "dictionary"),
    label("violating as a word", "name: c, violating: maybe", "violating", "boolean"),
    label("harmless and severe", "name: c, violating: false, severity: 3", "has no severity"),
    label("harmless and acted upon", "name: c, violating: false, actions: {remove: .5}", "has no actions"),
    label("an example for a list of them", "name: c, examples: zonk", "examples", "tuple"),
    label("examples within examples", "name: c, examples: [[zonk]]", "examples.0", "string"),
    label("an example of blanks", "name: c, examples: [' ']", "examples.0", "pattern"),
    label("a keyword that is a number", "name: c, keywords: [1]", "keywords.0", "string"),
    label("a keyword that is in every text", "name: c, keywords: ['']", "keywords.0", "pattern"),
    label("a definition that is a list", "name: c, definition: [a]", "definition", "string"),
    label("a definition as long as a book", f"name: c, definition: {'x' * 20_001}", "definition", "at most 20000"),
    region("a label that the policy lacks", "{ID: {labels: {zonk: {severity: 1}}}}", "region ID", "'zonk'", "ok, bad"),
    region("harmless, and severe there", "{ID: {labels: {ok: {severity: 1}}}}", "region ID", "violates nothing"),
    region("a key misspelt there", "{ID: {lables: {}}}", "regions.ID.lables", "'labels'"),
    region("a list of regions", "[ID]", "regions", "dictionary"),
    region("a region of nothing", "{ID: }", "regions.ID", "dictionary"),
    region("a threshold above 1 there", "{ID: {labels: {bad: {actions: {review: 2}}}}}", "regions.ID.labels.bad"),
    region("a number for a region", "{62: {labels: {bad: {severity: 1}}}}", "regions.62", "string"),
    region("a region without a name", "{'': {labels: {bad: {severity: 1}}}}", "regions", "at least 1"),
    region("a region that hides", "{'I\u200bD': {labels: {bad: {severity: 1}}}}", "regions", "invisible"),
    moved("to a label that is not there", "{from_version: 0, labels: {old: zonk}}", "'old' becomes 'zonk'"),
    moved("from nowhere", "{labels: {old: bad}}", "migration.from_version: is missing"),
    moved("from itself", "{from_version: 1, labels: {old: bad}}", "is this version", "name the one before"),
    moved("into no labels", "{from_version: 0, labels: {old: []}}", "migration.labels.old", "at least 1"),
]
