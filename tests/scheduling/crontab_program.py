"""A `crontab` that keeps its table in the file $CRON_TABLE and asks of it what Debian's does."""

import os
import re
import sys
from pathlib import Path

TABLE = Path(os.environ["CRON_TABLE"])
FIELD = r"(?:\*|\d+(?:-\d+)?)(?:/\d+)?(?:,\d+(?:-\d+)?)*"
LINE = re.compile(rf"\s*(?:#.*|\w+\s*=.*|(?:{FIELD}\s+){{5}}\S.*)?")


def main(word):
    if word == "-l" and TABLE.exists():
        print(TABLE.read_text(), end="")
    elif word == "-l":
        sys.exit("no crontab for somebody")
    elif word == "-r":
        TABLE.unlink()
    elif word == "-":
        text = sys.stdin.read()
        if not text.endswith("\n"):
            sys.exit("new crontab file is missing newline before EOF, can't install.")
        for number, line in enumerate(text.splitlines()):
            if not LINE.fullmatch(line) or len(line) >= 1000:
                sys.exit(f'"-":{number}: bad line. errors in crontab file, can\'t install.')
        TABLE.write_text(text)
    else:
        sys.exit("usage error")


main(sys.argv[1])
