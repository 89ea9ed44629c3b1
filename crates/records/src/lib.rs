//! What is remembered: accounts, and the index of unfinished uploads.
