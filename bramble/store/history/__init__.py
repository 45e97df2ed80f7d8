"""The history of builds of a project: times, durations, inputs and results (spec 5.2)."""
