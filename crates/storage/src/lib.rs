//! Where bytes rest: the local disk beneath a root handle, and memory with seeded faults.
