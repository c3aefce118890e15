//! An audit and the accepted baseline to a verdict.
