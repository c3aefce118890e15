//! Trials to runs: starts each trial's process, drains its outputs, reports what happens as run events.
