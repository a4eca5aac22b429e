"""The settings of the image, on the tests' server, which would lose commits."""

from deploy.settings import *  # noqa: F403
from deploy.settings import YOUTILITY_TASKS as OF_THE_IMAGE

YOUTILITY_TASKS = {**OF_THE_IMAGE, "allow_unsafe_database": True}
