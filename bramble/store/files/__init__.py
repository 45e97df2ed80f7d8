"""Files and directories as the system has them: read, written whole, walked, removed, synced. No store."""
