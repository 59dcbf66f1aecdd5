"""Doing things at given times, by the timers that the system has: systemd's for users, or cron; else by our own."""
