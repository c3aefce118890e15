//! Log bytes to series: one file per log format, with detection.
