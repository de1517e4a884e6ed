"""The schedule: which maintenance tasks there are, when they are due, how cron and systemd start them, and how one runs."""
