//! A client for FTP and FTPS: connections, listings, transfers, and the copying of whole trees.
#![forbid(unsafe_code)]
