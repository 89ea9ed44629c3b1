//! Certificates of clients that are accepted, and those that are not.
