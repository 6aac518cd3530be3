"""When a night begins, and who starts it: systemd, cron, or a process in front of a container."""
