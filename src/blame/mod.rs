//! What was seen to a cause, or to the next treatments to try; pure, launches nothing.
