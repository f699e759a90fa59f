"""`python -m zoo.cli` is the `zoo` command, in any folder."""

import os
import sys

import zoo
from zoo.training.signals import hear_warning

if __name__ == "__main__":
    if zoo.__file__ is None and not sys.flags.safe_path:  # hidden by a folder, a clone called zoo
        os.environ["PYTHONSAFEPATH"] = "1"
        os.execv(sys.executable, sys.orig_argv)
    hear_warning()  # which all that is imported next would keep waiting
    from zoo.cli.main import main

    raise SystemExit(main())
