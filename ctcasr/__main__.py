"""`python -m ctcasr`: the `ctcasr` command, where its folder is not on the PATH."""

from ctcasr.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
