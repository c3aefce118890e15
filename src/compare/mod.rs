//! Two series to a divergence: alignment, tolerance, distance, digit floor.
