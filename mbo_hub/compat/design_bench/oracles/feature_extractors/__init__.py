"""What turns designs into features for an oracle; nothing here needs it."""
