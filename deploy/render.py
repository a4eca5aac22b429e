"""Write the files of this folder from `templates/` and the settings: `python -m deploy.render [--check] [--to FOLDER]`.

With settings of your own: DJANGO_SETTINGS_MODULE=mysite.settings python -m deploy.render --to FOLDER
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import django
from django.template import Context, Engine

HERE = Path(__file__).resolve().parent
TEMPLATES = HERE / "templates"


def rendered() -> dict[str, str]:
    """Path below the folder -> text, of every file. Django's settings must be configured."""
    from deploy import numbers

    engine = Engine(dirs=[str(TEMPLATES)], autoescape=False)
    context = numbers.all_of_them()
    paths = sorted(path.relative_to(TEMPLATES) for path in TEMPLATES.rglob("*") if path.is_file())
    files: dict[str, str] = {}
    for path in paths:
        template = engine.get_template(str(path))
        if "QUEUE" not in str(path):
            files[str(path)] = template.render(Context(context))
            continue
        for queue in context["queues"]:
            files[str(path).replace("QUEUE", queue.name)] = template.render(Context({**context, "queue": queue}))
    return files


def main() -> int:
    """The exit status: 1 if `--check` finds a file that is not what it would be made."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 and name the files that differ")
    parser.add_argument("--to", type=Path, default=HERE, metavar="FOLDER", help="default: where this program is")
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "youtility_tasks.standalone.settings")
    django.setup()
    stale = [name for name, text in rendered().items() if _differs(options.to / name, text)]
    if options.check:
        sys.stderr.writelines(f"{name} is not what the settings say; run `make deploy`.\n" for name in stale)
        return 1 if stale else 0
    files = rendered()
    for name in stale:
        (options.to / name).parent.mkdir(parents=True, exist_ok=True)
        (options.to / name).write_text(files[name], encoding="utf-8")
    sys.stdout.write(f"{len(stale)} of {len(files)} files written\n")
    return 0


def _differs(path: Path, text: str) -> bool:
    return not path.exists() or path.read_text(encoding="utf-8") != text


if __name__ == "__main__":
    sys.exit(main())
