"""What somebody needs who publishes tasks: cards' metadata, validation, the Hub, mirrors."""
