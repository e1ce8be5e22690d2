"""The path of `hm_tasks.smoke` up to 0.2: `python -m` of it."""

import sys

from hm_tasks.smoke import main

if __name__ == "__main__":
    sys.exit(main())
