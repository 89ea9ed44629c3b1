//! Which limits does the machine set, and why each?

/// Longest command line in bytes, without its line end and after Telnet decoding.
/// `PATH_MAX` is 4096 on Linux; nothing longer can name a file.
pub const COMMAND_LINE: usize = 4096;

/// Bytes of a line that fit its first buffer: PASS and a password of 1 KiB, beyond which none is looked at anyhow.
pub const LINE_WITHOUT_GROWTH: usize = 1032;

/// Bytes of one line that are skipped once it is too long, before the connection ends.
/// A mistaken paste is survived; a peer that never ends its line is not served for ever.
pub const SKIPPED_LINE: usize = 64 * 1024;

/// Bytes of commands that may wait for their turn before the machine stops wanting bytes.
/// Room for a client that pipelines; TCP's own window holds back the rest.
pub const PIPELINED_BYTES: usize = 16 * 1024;

/// Commands that may wait for their turn: a line of two bytes costs more memory than two bytes.
pub const PIPELINED_COMMANDS: usize = 128;

/// Refused commands in a row before login that end the connection: no client needs them, a scanner or a browser does.
pub const REFUSED_BEFORE_LOGIN: u32 = 10;

/// Arguments of OPTS MLST that are looked at: there are six facts, and a client may ask for more than we know.
pub const FACT_NAMES: usize = 64;
