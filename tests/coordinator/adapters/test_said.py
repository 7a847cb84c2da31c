"""Every sentence that the door, the judge and the questions of the page can say has its form in French: found in their code, one by one."""

import ast
from collections.abc import Iterator
from itertools import product

from coordinator.complaints import _EXPECTED
from tests.coordinator.adapters.test_page import FOLDER, form_of

CODE = FOLDER.parent
# module -> the functions in it that make sentences for readers of the page; all of them where none is named
SPEAKERS: dict[str, tuple[str, ...]] = {
    "fields": (),
    "complaints": ("complaint",),
    "jsontext": ("read_json", "_object", "_number", "_constant", "_why_not_json"),
    "times": ("parse_instant", "_why_not"),
    "units": ("unit_of", "to_grains"),
    "signals": (
        *("__post_init__", "_check_window", "_check_every", "_sums", "_read_kind", "_read_source", "_checked_source", "_read_field"),
        *("_read_time", "_event_of"),
    ),
    "cycle": ("take", "_stamp"),
    "adapters/walks": (),
    "adapters/network_questions": ("_alone",),
    "adapters/page_questions": (),
    "adapters/service": ("_read", "_not_allowed"),
    "verdicts": (),
    "commitments": ("cannot_promise",),
    "views": ("deal_named",),
    "accounts": ("account",),
    "alternatives": ("_deal",),
    "opportunities": ("opportunities", "_why_nothing"),
    "places": ("place_named",),
    "explaining": ("need_named",),
    "questions": ("thing_named", "downstream"),
}
PARTS = ("complaints._near_field", "units._grain_rule")  # what only goes into other functions' sentences
SAY = ("Refused", "Unavailable", "ValueError", "Fault", "_refused", "plan_released")  # and take a sentence
OF_NAMES = ("_text", "read_once", "read_agent_name")  # whose complaints may be of the name in a source, too
ANYTHING = "7"  # stands for whatever is put into a sentence: a number, a word and a name
WORDS = {"verdict['kind']": ["declined", "countered"]}  # where only some words fit
LEAST_LETTERS = 12  # of a text that is a sentence of its own
FRAMES = (f"The name in source{ANYTHING}",)  # around a sentence of another function


def texts(node: ast.expr, known: dict[str, list[str]]) -> list[str]:
    """What an expression may come to, as texts."""
    match node:
        case ast.Constant(value=str(text)):
            return [text]
        case ast.JoinedStr(values=parts):
            return ["".join(each) for each in product(*(texts(part, known) for part in parts))]
        case ast.FormattedValue(value=value, conversion=conversion):
            return [f"'{text}'" if conversion == ord("r") else text for text in texts(value, known)]
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return ["".join(each) for each in product(texts(left, known), texts(right, known))]
        case ast.IfExp(body=body, orelse=other):
            return [*texts(body, known), *texts(other, known)]
        case ast.Name(id=name) | ast.Call(func=ast.Name(id=name)) if name in known:
            return known[name]
    return WORDS.get(ast.unparse(node), [ANYTHING])


def said_in(function: ast.FunctionDef, known: dict[str, list[str]]) -> Iterator[str]:
    """Every sentence that a function raises, returns or hands on."""
    known = dict(known)
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and isinstance(node.value, ast.JoinedStr | ast.IfExp):
            known[node.targets[0].id] = texts(node.value, known)
    for node in ast.walk(function):
        says = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in SAY
        found = node.args if says else [node.value] if isinstance(node, ast.Return) and node.value else []
        for each in found:
            if isinstance(each, ast.JoinedStr | ast.BinOp | ast.IfExp | ast.Constant | ast.Name):
                yield from texts(each, known)


def functions_of(module: str) -> list[ast.FunctionDef]:
    return [node for node in ast.walk(ast.parse((CODE / f"{module}.py").read_text())) if isinstance(node, ast.FunctionDef)]


def sentences() -> dict[str, str]:
    """Every sentence, and where it is said."""
    found: dict[str, str] = {}
    parts = {
        part.split(".")[1]: [said for one in functions_of(part.split(".")[0]) if part.endswith(one.name) for said in said_in(one, {})]
        for part in PARTS
    }
    parts["asked_for"] = [f"'{ANYTHING}'"]
    for module, wanted in SPEAKERS.items():
        functions = functions_of(module)
        assert set(wanted) <= {function.name for function in functions}, f"{module} has not all of {wanted}"
        for function in functions:
            if wanted and function.name not in wanted:
                continue
            for said in said_in(function, parts):
                if sum(map(str.isalpha, said)) < LEAST_LETTERS or said in FRAMES:
                    continue
                of = ["data.x", "The name in source"] if function.name in OF_NAMES else ["data.x"]
                begun = [prefix + said for prefix in of] if said[0] in " ." else [f"data.x {said}"] if said.startswith("is ") else [said]
                found |= dict.fromkeys(begun, f"{module}.{function.name}")
    return found


def test_every_sentence_of_the_door_and_the_judge_is_told_in_french() -> None:
    all_said = sentences()
    assert len(all_said) > 100
    english = [f"{where}: {sentence}" for sentence, where in all_said.items() if form_of(sentence) is None]
    assert not english, "\n".join(english)


def test_what_the_door_expected_is_told_in_french() -> None:
    known = (FOLDER / "telling.js").read_text(encoding="utf-8").partition("const EXPECTED = ")[2]
    assert [each for each in (*_EXPECTED.values(), "another kind of value") if f'"{each}": ' not in known] == []
