"""The move from Celery, proven: a real Redis, a real Celery with its Beat, our workers, calls under way all the time; every task is cut over in
four waves, rolled back three times, and moved again, while the parts are killed.

`play.py` is the plan, `acting.py` what the tasks do, `caller.py` who calls them, `cast.py` the processes, `verdict.py` what must hold afterwards.
Only the run's own processes install this application.
"""
