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

/// Highest restart marker of a download in TYPE A: the file has to be read from its beginning to find the place, which at a
/// gibibyte takes a disk some seconds, and no text is longer.
pub const TEXT_RESTART: u64 = 1024 * 1024 * 1024;

/// Refused commands in a row before login that end the connection: no client needs them, a scanner or a browser does.
pub const REFUSED_BEFORE_LOGIN: u32 = 10;

/// Parts that one COMB puts together: clients split a file into a handful, and each part is a file to open.
pub const COMBINED_PARTS: usize = 256;

/// Arguments of OPTS MLST that are looked at: there are nine facts, and a client may ask for more than we know.
pub const FACT_NAMES: usize = 64;

/// Longest name in a listing, in bytes. Linux has names of 255 bytes, NTFS and APFS of 255 UTF-16 units (765 bytes of
/// UTF-8), object stores keys of 1,024 bytes.
pub const NAME: usize = 1024;

/// Longest line of a listing, without its LF: a name, a link's target of `PATH_MAX` (4,096 bytes) and every fact there is
/// fill less than half of it. A longer one is skipped without being kept.
pub const LISTING_LINE: usize = 16 * 1024;

/// Bytes that are kept of a listing's line that is skipped: enough for an error message.
pub const SKIPPED_SHOWN: usize = 512;

/// Facts of one MLSx line that are looked at: RFC 3659 §7.5 has nine, ProFTPD tells eleven.
pub const FACTS: usize = 64;

/// Longest owner, group, `perm` or `unique` of an entry, in bytes. Names of domains fit; a longer value is left out, so that
/// a remembered entry stays small.
pub const FACT_VALUE: usize = 256;

/// Longest line of a server's reply in bytes: a path of `PATH_MAX` with every byte doubled, and words around it.
pub const REPLY_LINE: usize = 16 * 1024;

/// Lines of one reply of a server. FEAT has some dozens; the longest messages of the day have hundreds.
pub const REPLY_LINES: usize = 1000;

/// Bytes of one reply of a server.
pub const REPLY_BYTES: usize = 256 * 1024;

/// Bytes of a reply that are shown in an error: two lines of a terminal or three.
pub const REPLY_SHOWN: usize = 300;

/// Preliminary replies (1xx) to one command. RFC 959 §5.4 knows one; some servers send two, none sends more than a few.
pub const PRELIMINARY_REPLIES: usize = 16;
