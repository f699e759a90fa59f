"""`python -m zoo.cli` is the `zoo` command."""

from zoo.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
