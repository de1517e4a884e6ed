"""The flags of the runbook's old command line, answered by healthkit: `python -m healthkit.runbook FLAGS`.

Scripts that call `python -m tools.health_checker.cli` keep their output contract while a team moves over: what goes to
stdout, and exit code 0 wherever the work was done, whatever it found. A second command line beside `healthkit`: like that
one it joins the rooms, inside the bodies of its commands only.
"""
