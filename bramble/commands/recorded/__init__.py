"""What is recorded of builds: their list, logs, reasons and durations."""
