//! Transcripts, real clients, simulation and the rules of the architecture.
