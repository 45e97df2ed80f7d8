"""What the commands have in common: setting and limits, the opened store, evaluation, consent."""
