//! The FTP language as a value: bytes in, events out. No sockets, files, clock or async.
