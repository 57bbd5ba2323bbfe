"""Find old phrases of ours that must not come back: ``make lint`` runs this.

Each was hard to read, or had a second meaning. Beside it is what to write instead.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

PHRASES = {
    r"\b(that|which|date) is (?-i:none)\b": "is not a ..., is missing",
    r"\bif there (is|are) (?-i:none)\b": "name what is missing",
    r"as (it|they) came\b": "unchanged",
    r"the (door|lock)\b": "authentication",
    r"\btells? of\b": "reports, shows",
    r"\bno such thing": "not applicable",
    r"\bwhoever\b": "name the actor",
    r"\blikewise\b": "in the same way, also",
    r"\bbesides\b": "also",
    r", too\b(?=[.,;:)])": "also, before the verb",
    r"\bfor ever\b": "indefinitely",
    r"\bnot a byte\b": "unchanged",
    r"\bis no JSON": "is not JSON",
    r"\baffairs?\b": "name the thing",
    r"\bin vain\b": "without success",
    r"\bin silence\b": "silently",
    r"\bby the way\b": "leave it out",
    r"\bmend(s|ed|ing)?\b": "fix, correct",
    r"\bof another opinion\b": "differs",
    r"\bheld to\b": "validated against",
    r"\b(is|are|was|were) told\b(?! apart)": "is reported, is shown; name the actor",
    r"\btells? (if|whether)\b": "return whether",
    r"\b(anew|afresh)\b": "again, new",
    r"\bbut for\b": "except",
    r"\blaid over\b": "merged on top of",
    r"\bof one's own\b": "custom, your own",
    r"\bbeyond reason\b": "say what is out of range",
    r"\bdated ahead\b": "dated in the future",
    r"\bseldom\b": "rarely",
    r"\bwithout a word\b": "silently",
    r"\bjudg(e|es|ed|ing)\b": "validate",
    r"\bquick way\b": "fast path",
    r"\btime-outs?\b": "timeout",
    r"\bas it was designed\b": "executes its own actions",
    r"\b(answers|lets) (any|some|every|no)body\b": "accepts unauthenticated requests",
    r"\bis no (JSON|HTML|XML|UTF-8)\b": "is not ...",
    r"\b(bot's|its|step's) builder\b": "the bot designer",
    r"\bbuilder of (a|the) (bot|step)\b": "the bot designer",
    r"\b(any|that|one) will do\b": "is enough, works",
    r"\bis told of\b": "gets, sees",
    r"\bas (it|they) (is|are|stands?) on the wire\b": "as JSON, unchanged",
    r"\bcost what one costs?\b": "does not grow with the number",
    r"\bfrom there to your own pace\b": "name the task",
    r"\bunder way\b(?! at)": "running",
    r"\bis (seen|heard) of\b": "appears",
    r"\bpredecessor\b": "clustaar.webhook",
    r"\b(?<!here.)(is|are) no (answer|notification|object|setting)\b": "is not a ...",
    r"\bwith \w+ too\.": "also with",
    r"\b(has|have) to be said\b": "the error asks for it",
    r"\bhears? (nothing|only|no)\b": "gets, receives",
    r"\bas (it|they) says?\b": "see its documentation",
    r"\b(name|one) that you mean\b": "pass its name",
    r"\bcomes? up in\b": "is raised in",
    r"\bhalf a reply is worse\b": "leave it out",
    r"\blies? in the engine\b": "is stored",
    r"\bit takes no more then\b": "later ones are an error",
    r"\b(nothing|much) (is|to be) said against\b": "the check finds no problems",
}

#: Where people read.
FILES = ["*.rst", "*.md", ".github/**/*.y*ml", ".github/*.md", "Makefile", ".ci/run"]
FILES += [f"{place}/**/*.rst" for place in ("docs", "examples")]
FILES += [
    f"{place}/**/*.py"
    for place in (
        "flask_clustaar",
        "docs",
        "examples",
        "scripts",
        "benchmarks",
        "tests",
    )
]
FILES += [f"flask_clustaar/**/*.{kind}" for kind in ("js", "html", "css")]
FILES += [
    "tests/*.rst",
    "*.toml",
    "*.cff",
    "scripts/*",
    "requirements/*",
    "docs/_static/*.css",
]
#: Has the phrases.
EXEMPT = {"scripts/phrases.py"}


def main() -> int:
    """Print each line with an old phrase; return how many there are."""
    found = 0
    for file in sorted({file for pattern in FILES for file in ROOT.glob(pattern)}):
        name = file.relative_to(ROOT).as_posix()
        if name in EXEMPT or not file.is_file() or "/_build/" in name:
            continue
        text = file.read_text(encoding="utf-8")
        if file.suffix == ".py":
            # The names of tests are sentences.
            text = text.replace("_", " ")
        for phrase, better in PHRASES.items():
            # A phrase may go on in the next line.
            spread = phrase.replace(" ", r"\s+(?:#:?\s+)?")
            for match in re.finditer(spread, text, re.I):
                line = text.count("\n", 0, match.start()) + 1
                words = " ".join(match[0].split())
                print(f"{name}:{line}: '{words}'. Write: {better}.")
                found += 1
    return min(found, 1)


if __name__ == "__main__":
    sys.exit(main())
