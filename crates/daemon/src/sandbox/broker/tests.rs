//! What the broker starts, and what it does not.
