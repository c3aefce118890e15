//! What was typed, nothing more.
