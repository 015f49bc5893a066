"""Compiles the programs of the documentation: every block ```cpp in *.md that includes a header of Mitra.

usage: check_snippets.py ROOT COMPILER

Prints the file, the line and the compiler's message of each block that does not compile, and returns 1 if there is any.
"""

import pathlib
import re
import subprocess
import sys

from check import files_of, line_of

BLOCK = re.compile(r"^```cpp\n(.*?)^```", re.DOTALL | re.MULTILINE)


def main(arguments):
    if len(arguments) != 2:
        raise SystemExit(__doc__)
    root = pathlib.Path(arguments[0]).resolve()
    command = [arguments[1], "-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", f"-I{root / 'include'}", "-x", "c++", "-"]
    failures = 0
    for name, path in files_of(root, {".md"}):
        text = path.read_text()
        for block in BLOCK.finditer(text):
            if "#include <mitra/" not in block[1]:
                continue
            source = f'#line {line_of(text, block.start(1))} "{name}"\n{block[1]}'
            compiled = subprocess.run(command, input=source, text=True, capture_output=True)
            if compiled.returncode != 0:
                failures += 1
                print(compiled.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
