#!/usr/bin/env python3
"""Fails on an include that the tables of docs/architecture.md do not allow.

Usage: check_includes.py [ROOT]. Prints a line for each mistake, then "N passed, N failed" over the files.
"""
import pathlib
import re
import sys

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)
TABLE_ROW = re.compile(r"^\| *([^|]+?) *\|([^|]*)\|$", re.MULTILINE)


def read_table(text, header):
    """The rows of the Markdown table whose first line is `header`, as {first cell: set of words}."""
    start = text.index(header)
    end = text.find("\n\n", start)
    rows = TABLE_ROW.findall(text[start : len(text) if end < 0 else end])[2:]
    return {name: set(cells.split()) for name, cells in rows}


def module_of(path):
    """The module that a file of the tree belongs to, or None for tests and the like."""
    parts = path.parts
    if parts[0] == "mount":
        return "mount"
    if parts[0] == "src" and len(parts) > 2:
        return parts[1]
    if parts[:2] == ("include", "weightfs") and len(parts) > 3:
        return parts[2]
    return None


def is_library(included, library):
    """Whether the header `included` belongs to `library`, a header's name or a directory's."""
    return included == library or included.startswith(library + "/")


def mistakes_of(root, path, modules, libraries):
    """What is wrong with the includes of one file."""
    module = module_of(path)
    if module not in modules:
        yield f"{path}: module {module} is not in the table of docs/architecture.md"
        return
    for quote, included in INCLUDE.findall((root / path).read_text()):
        if included.startswith("weightfs/"):
            other = included.split("/")[1]
            if other != module and other not in modules[module]:
                yield f"{path}: {module} may not include {other} ({included})"
        elif quote == '"' and not (root / path).parent.joinpath(included).is_file():
            yield f"{path}: {included} is not a header of {module}"
        for library, owners in libraries.items():
            if is_library(included, library) and module not in owners:
                yield f"{path}: {included} may be included in {', '.join(sorted(owners))} only"


def check_acyclic(modules):
    """The table itself must have an order: a module's list names only modules above it."""
    seen = set()
    for module, allowed in modules.items():
        for other in sorted(allowed - seen):
            yield f"docs/architecture.md: {module} may include {other}, which stands below it"
        seen.add(module)


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else __file__).resolve()
    root = root if root.is_dir() else root.parent.parent
    text = (root / "docs/architecture.md").read_text()
    modules = read_table(text, "| module | may include |")
    libraries = read_table(text, "| library | only in |")
    failed_files = 0
    files = sorted(
        path.relative_to(root)
        for top in ("src", "include", "mount")
        for path in (root / top).rglob("*")
        if path.suffix in {".h", ".cpp"}
    )
    mistakes = list(check_acyclic(modules))
    for path in files:
        found = list(mistakes_of(root, path, modules, libraries))
        failed_files += bool(found)
        mistakes += found
    print("\n".join(mistakes), end="\n" if mistakes else "")
    failed = max(failed_files, bool(mistakes))
    print(f"{len(files) - failed_files} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
