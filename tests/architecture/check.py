"""Checks the source tree against rules.txt: include directions, libraries, forbidden calls; and the links in *.md.

usage: check.py includes|calls|links ROOT [RULES]

Prints one line `file:line: what is wrong` for each violation, and returns 1 if there is any.
"""

import pathlib
import re
import sys

SOURCES = {".hpp", ".cpp", ".h", ".c"}
SKIPPED = {"build", ".git", ".cache"}
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"]+)"|<([^>]+)>)', re.MULTILINE)
TOKENS = re.compile(
    r'//(?:\\\n|[^\n])*'                                    # line comment
    r'|/\*.*?\*/'                                           # block comment
    r'|R"(?P<mark>[^(\s"\\]{0,16})\(.*?\)(?P=mark)"'        # raw string
    r'|"(?:\\.|[^"\\\n])*"'                                 # string
    r"|(?<![0-9A-Fa-f])'(?:\\.|[^'\\\n])+'",                # character, not a digit separator
    re.DOTALL)
LINK = re.compile(r'\[[^\]]*\]\(\s*<?([^)\s>]+)>?[^)]*\)')


class Rules:
    """The contents of rules.txt."""

    def __init__(self, path):
        self.allowed = {}    # directory -> directories that it may include
        self.roots = []      # directories that the build searches for headers
        self.libraries = []  # (header prefixes, directories that may include them)
        self.forbidden = []  # (pattern, directories, excepted files, why)
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if not line.strip() or line.startswith("#"):
                continue
            kind, _, rest = line.partition(" ")
            if kind == "include" and ":" in rest:
                directory, _, targets = rest.partition(":")
                self.allowed[directory.strip()] = targets.split()
            elif kind == "root":
                self.roots.append(rest.strip())
            elif kind == "library" and ":" in rest:
                prefixes, _, directories = rest.partition(":")
                self.libraries.append((prefixes.split(), directories.split()))
            elif kind == "forbid" and (match := re.fullmatch(r"(.+) in (.+) except (.*?) ?: (.+)", rest)):
                pattern, directories, files, why = match.groups()
                self.forbidden.append((re.compile(pattern), directories.split(), files.split(), why))
            else:
                raise SystemExit(f"{path}:{number}: expected include, root, library or forbid")


def is_below(path, directory):
    return path == directory or path.startswith(directory + "/")


def line_of(text, position):
    return text.count("\n", 0, position) + 1


def without(text, keep_includes):
    """The text with comments and literals blanked out, so that lines keep their numbers."""
    def blank(match):
        token = match.group()
        if keep_includes and token.startswith('"'):
            return token
        return re.sub(r"[^\n]", " ", token)
    return TOKENS.sub(blank, text)


def files_of(root, suffixes):
    for path in sorted(root.rglob("*")):
        relative = path.relative_to(root)
        if path.suffix in suffixes and path.is_file() and not SKIPPED.intersection(relative.parts):
            yield relative.as_posix(), path


def check_includes(root, rules):
    for name, path in files_of(root, SOURCES):
        owners = [directory for directory in rules.allowed if is_below(name, directory)]
        owner = max(owners, key=len, default=None)
        text = without(path.read_text(), keep_includes=True)
        for match in INCLUDE.finditer(text):
            where = f"{name}:{line_of(text, match.start(1) if match[1] else match.start(2))}"
            header = match[1] or match[2]

            for prefixes, directories in rules.libraries:
                if any(header.startswith(prefix) for prefix in prefixes):
                    if not any(is_below(name, directory) for directory in directories):
                        yield f'{where}: <{header}> may be included only in {", ".join(directories)}'

            target = resolve(root, rules, name, header, quoted=match[1] is not None)
            if target is None:
                if owner == "include" and not re.fullmatch(r"[a-z_0-9]+", header):
                    yield f"{where}: <{header}>: a public header includes <mitra/...> and the C++ standard library only"
                elif owner is not None and match[1]:
                    yield f'{where}: "{header}" is not in the tree; a library is included with <>'
            elif owner is not None and not any(is_below(target, allowed) for allowed in rules.allowed[owner]):
                yield f'{where}: {owner} may not include {target}; it may include {", ".join(rules.allowed[owner])}'


def resolve(root, rules, name, header, quoted):
    """The file in the tree that an include means, or None."""
    candidates = [pathlib.PurePosixPath(name).parent / header] if quoted else []
    candidates += [pathlib.PurePosixPath(directory) / header for directory in rules.roots]
    for candidate in candidates:
        path = (root / candidate).resolve()
        if path.is_file() and path.is_relative_to(root):
            return path.relative_to(root).as_posix()
    return None


def check_calls(root, rules):
    for name, path in files_of(root, SOURCES):
        text = None
        for pattern, directories, excepted, why in rules.forbidden:
            if name in excepted or not any(is_below(name, directory) for directory in directories):
                continue
            if text is None:
                text = without(path.read_text(), keep_includes=False)
            for match in pattern.finditer(text):
                yield f"{name}:{line_of(text, match.start())}: {match.group().strip()}: {why}"


def check_links(root, _):
    for name, path in files_of(root, {".md"}):
        text = re.sub(r"```.*?```", lambda match: re.sub(r"[^\n]", " ", match.group()), path.read_text(), flags=re.DOTALL)
        for match in LINK.finditer(text):
            target = match[1].partition("#")[0]
            if not target or re.match(r"[a-z]+:", target):
                continue
            if not (path.parent / target).exists():
                yield f"{name}:{line_of(text, match.start())}: the link {match[1]} leads nowhere"


def main(arguments):
    checks = {"includes": check_includes, "calls": check_calls, "links": check_links}
    if len(arguments) not in (2, 3) or arguments[0] not in checks:
        raise SystemExit(__doc__)
    root = pathlib.Path(arguments[1]).resolve()
    rules = Rules(pathlib.Path(arguments[2]) if len(arguments) == 3 else pathlib.Path(__file__).with_name("rules.txt"))
    violations = list(checks[arguments[0]](root, rules))
    for violation in violations:
        print(violation)
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
