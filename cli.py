"""The command line: `python cli.py --help`. Its commands are in the package `cli`."""

import sys

try:
    from cli import main  # a package is found before a file of the same name
except KeyboardInterrupt:  # Ctrl-C before the first line of a command
    sys.exit("Stopped.")

if __name__ == "__main__":
    sys.exit(main())
