"""What scores designs."""
