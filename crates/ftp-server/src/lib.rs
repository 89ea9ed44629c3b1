//! Drives the FTP protocol machine over sockets into the transfer domain.
