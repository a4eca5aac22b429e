"""`python -m youtility_tasks.standalone X` is `youtility-tasks X`."""

import sys

from .cli import main

sys.exit(main())
