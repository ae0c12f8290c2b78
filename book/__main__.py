"""python -m book build [NAME ...] [--all] | check | links | site | machine"""

import argparse
import sys
from pathlib import Path

from book import links


def main(arguments=None):
    """Run the command line; return the exit status: 0, or 1 when something is to be mended."""
    parser = argparse.ArgumentParser(prog="python -m book", description="Build and check the notebooks.")
    commands = parser.add_subparsers(dest="command", required=True)
    build = commands.add_parser("build", help="run notebooks/*.py into executed .ipynb files")
    build.add_argument("name", nargs="*", help="run these; without a name, those whose source has changed")
    build.add_argument("--all", action="store_true", help="run every notebook")
    commands.add_parser("check", help="find drift, stale or unwanted outputs and style, without a kernel")
    commands.add_parser("links", help="carry the repository's address from pyproject.toml everywhere")
    commands.add_parser("site", help="write build/site from the executed notebooks; runs none of them")
    commands.add_parser("machine", help="write the tables that the site's index runs, from the shipped weights")
    options = parser.parse_args(arguments)
    if options.command == "links":
        changed = links.update()
        print("\n".join(f"{path.relative_to(links.ROOT)}: updated" for path in changed) or "all addresses are right")
        return 0
    if options.command == "site":
        from book import pages

        pages.build()
        print(f"open {pages.FOLDER / 'index.html'}")
        return 0
    if options.command == "machine":
        from book import machine

        machine.write()
        return 0
    from book.rules import check  # needs jupytext, which takes a second to import

    if options.command == "build":
        from book.builder import BuildError, build

        try:
            build([Path(name).stem for name in options.name], everything=options.all)
        except BuildError as error:
            print(error, file=sys.stderr)
            return 1
    problems = check()
    print("\n".join(problems) or "the book is in order")
    return 1 if problems and options.command == "check" else 0


if __name__ == "__main__":
    sys.exit(main())
