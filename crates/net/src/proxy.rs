//! Who is behind a load balancer? The PROXY protocol, versions 1 and 2 (haproxy's `proxy-protocol.txt`).
//!
//! A header stands before the first byte of a connection and says between which addresses it was made before the balancer
//! took it. It is believed from peers that are listed, and no byte behind it is read here.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::listener::{Accepted, canonical};

/// What every header of version 2 begins with.
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// The fixed part of a header of version 2.
const FIXED: usize = 16;
/// What every header of version 1 begins with.
const WORD: &[u8] = b"PROXY ";
/// The longest header of version 1, its CR LF counted: what the specification says.
const LONGEST_LINE: usize = 107;
/// The longest header of version 2 that is read. Addresses take 36 bytes; the rest is what balancers add, such as the names in a
/// certificate, and is passed over.
const LONGEST: usize = 4096;

/// How long a header may take, from the moment the connection is accepted. Balancers send it at once; a lost packet is repeated
/// after a second, and again after two.
pub const HEADER_TIME: Duration = Duration::from_secs(5);

/// What a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// The balancer relays a connection that was made between these.
    Proxied {
        /// The client.
        source: SocketAddr,
        /// Where the client connected to.
        destination: SocketAddr,
    },
    /// The balancer speaks for itself (a health check), or does not know: the addresses of the connection count.
    Local,
}

/// Why no header was taken from a peer that has to send one.
#[derive(Debug, thiserror::Error)]
pub enum HeaderError {
    /// Something else came.
    #[error("no PROXY header came")]
    Missing,
    /// It means nothing; why.
    #[error("the PROXY header is malformed: {0}")]
    Malformed(&'static str),
    /// The connection ended before its first byte: somebody looked whether the port is there.
    #[error("the connection ended without a byte")]
    Silent,
    /// The connection ended before the header did.
    #[error("the connection ended within its PROXY header")]
    Ended,
    /// The header did not end within [`HEADER_TIME`].
    #[error("no whole PROXY header came within {} seconds", HEADER_TIME.as_secs())]
    Late,
    /// The system refused to read.
    #[error("the PROXY header could not be read: {0}")]
    Unread(#[from] std::io::Error),
}

/// Reads the header from the first bytes of a connection: what it says and how long it is; `None` where it goes on behind them.
///
/// # Errors
/// When it is none, or of no use.
pub fn parse(bytes: &[u8]) -> Result<Option<(Header, usize)>, HeaderError> {
    if begins(bytes, SIGNATURE) {
        parse_binary(bytes)
    } else if begins(bytes, WORD) {
        parse_line(bytes)
    } else {
        Err(HeaderError::Missing)
    }
}

/// Whether `bytes` begin with `word`, as far as they go.
fn begins(bytes: &[u8], word: &[u8]) -> bool {
    let common = bytes.len().min(word.len());
    bytes.get(..common) == word.get(..common)
}

fn parse_line(bytes: &[u8]) -> Result<Option<(Header, usize)>, HeaderError> {
    let seen = bytes.get(..LONGEST_LINE).unwrap_or(bytes);
    let Some(end) = seen.windows(2).position(|two| two == b"\r\n") else {
        let is_cut = seen.len() < LONGEST_LINE;
        return if is_cut { Ok(None) } else { Err(HeaderError::Malformed("its line does not end")) };
    };
    let line = seen.get(WORD.len()..end).unwrap_or_default();
    let line = std::str::from_utf8(line).map_err(|_| HeaderError::Malformed("its line is not text"))?;
    let mut words = line.split(' ');
    let header = match words.next() {
        // What may follow is for nobody to read.
        Some("UNKNOWN") => return Ok(Some((Header::Local, end + 2))),
        Some("TCP4") => addresses::<Ipv4Addr>(&mut words),
        Some("TCP6") => addresses::<Ipv6Addr>(&mut words),
        _ => return Err(HeaderError::Malformed("it names another protocol than TCP4, TCP6 and UNKNOWN")),
    };
    match (header, words.next()) {
        (Some(header), None) => Ok(Some((header, end + 2))),
        _ => Err(HeaderError::Malformed("it does not consist of two addresses and two ports")),
    }
}

fn addresses<'a, A: FromStr + Into<IpAddr>>(words: &mut impl Iterator<Item = &'a str>) -> Option<Header> {
    let mut address = || words.next()?.parse::<A>().ok();
    let (source, destination): (IpAddr, IpAddr) = (address()?.into(), address()?.into());
    let mut port =
        || words.next().filter(|word| word.bytes().all(|byte| byte.is_ascii_digit()))?.parse().ok();
    let (from, to): (u16, u16) = (port()?, port()?);
    Some(proxied((source, from), (destination, to)))
}

fn parse_binary(bytes: &[u8]) -> Result<Option<(Header, usize)>, HeaderError> {
    let Some((fixed, rest)) = bytes.split_first_chunk::<FIXED>() else { return Ok(None) };
    let [.., command, family, high, low] = *fixed;
    let length = usize::from(u16::from_be_bytes([high, low]));
    if command >> 4 != 2 {
        return Err(HeaderError::Malformed("it is of an unknown version"));
    }
    if FIXED + length > LONGEST {
        return Err(HeaderError::Malformed("it is longer than 4096 bytes"));
    }
    let Some(block) = rest.get(..length) else { return Ok(None) };
    let header = match (command & 0x0f, family) {
        // UNSPEC: whoever made it knows no addresses.
        (0, _) | (1, 0x00) => Header::Local,
        (1, 0x11) => binary_addresses::<4, 12>(block)?,
        (1, 0x21) => binary_addresses::<16, 36>(block)?,
        (1, _) => return Err(HeaderError::Malformed("it tells of no TCP connection")),
        _ => return Err(HeaderError::Malformed("it is of an unknown command")),
    };
    Ok(Some((header, FIXED + length)))
}

/// Two addresses of `LENGTH` bytes and two ports, `ALL` bytes in all.
fn binary_addresses<const LENGTH: usize, const ALL: usize>(block: &[u8]) -> Result<Header, HeaderError>
where
    IpAddr: From<[u8; LENGTH]>,
{
    let read = || {
        let (source, rest) = block.split_first_chunk::<LENGTH>()?;
        let (destination, rest) = rest.split_first_chunk::<LENGTH>()?;
        let (from, rest) = rest.split_first_chunk()?;
        let to = rest.first_chunk()?;
        let (from, to) = (u16::from_be_bytes(*from), u16::from_be_bytes(*to));
        Some(proxied((IpAddr::from(*source), from), (IpAddr::from(*destination), to)))
    };
    read().ok_or(HeaderError::Malformed("it has no room for its addresses"))
}

fn proxied(source: (IpAddr, u16), destination: (IpAddr, u16)) -> Header {
    Header::Proxied { source: canonical(source.into()), destination: canonical(destination.into()) }
}

impl Accepted {
    /// The connection as its client made it: takes the header from it, and nothing behind it.
    ///
    /// # Errors
    /// When none comes in time, or one of no use. The connection is good for nothing then.
    pub async fn introduced(self) -> Result<Self, HeaderError> {
        let header = timeout(HEADER_TIME, receive(&self.stream)).await.unwrap_or(Err(HeaderError::Late))?;
        Ok(match header {
            // Version 1 has no word for a check: haproxy names its own end then.
            Header::Proxied { source, .. } if source == self.peer => Self { is_check: true, ..self },
            Header::Proxied { source, destination } => Self { peer: source, local: destination, ..self },
            Header::Local => Self { is_check: true, ..self },
        })
    }
}

async fn receive(stream: &TcpStream) -> Result<Header, HeaderError> {
    let mut header = [0; LONGEST];
    let mut filled = 0;
    loop {
        let room = header.get_mut(filled..).unwrap_or_default();
        let seen = match stream.peek(room).await? {
            0 if filled == 0 => return Err(HeaderError::Silent),
            0 => return Err(HeaderError::Ended),
            seen => seen,
        };
        let parsed = parse(header.get(..filled + seen).unwrap_or_default())?;
        // As long as the header has not ended all that came belongs to it.
        let length = parsed.map_or(filled + seen, |(_, length)| length);
        while filled < length {
            let taken = header.get_mut(filled..length).unwrap_or_default();
            match stream.try_read(taken) {
                Ok(0) => return Err(HeaderError::Ended),
                Ok(count) => filled += count,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => stream.readable().await?,
                Err(error) => return Err(error.into()),
            }
        }
        if let Some((header, _)) = parsed {
            return Ok(header);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::Listener;

    const FROM_4: &[u8] = b"\xc0\x00\x02\x01\xcb\x00\x71\x07\x30\x39\x00\x15";

    fn binary(command: u8, family: u8, block: &[u8]) -> Vec<u8> {
        let length = u16::try_from(block.len()).unwrap().to_be_bytes();
        [SIGNATURE, &[command, family], &length, block].concat()
    }

    fn between(source: &str, destination: &str) -> Header {
        Header::Proxied { source: source.parse().unwrap(), destination: destination.parse().unwrap() }
    }

    fn whole(bytes: &[u8]) -> Header {
        let (header, length) = parse(bytes).unwrap().unwrap();
        assert_eq!(length, bytes.len());
        header
    }

    #[test]
    fn version_1_is_a_line() {
        let four = b"PROXY TCP4 192.0.2.1 203.0.113.7 12345 21\r\n";
        assert_eq!(whole(four), between("192.0.2.1:12345", "203.0.113.7:21"));
        let six = b"PROXY TCP6 2001:db8::1 2001:db8::7 1 65535\r\n";
        assert_eq!(whole(six), between("[2001:db8::1]:1", "[2001:db8::7]:65535"));
        assert_eq!(whole(b"PROXY UNKNOWN\r\n"), Header::Local);
        assert_eq!(whole(b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n"), Header::Local);
    }

    #[test]
    fn version_2_is_binary_and_what_follows_the_addresses_is_passed_over() {
        let four = between("192.0.2.1:12345", "203.0.113.7:21");
        assert_eq!(whole(&binary(0x21, 0x11, FROM_4)), four);
        assert_eq!(whole(&binary(0x21, 0x11, &[FROM_4, b"\x04\x00\x01x"].concat())), four);
        let mapped: &[u8] = b"\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\x00\x02\x01";
        let six = [mapped, mapped, b"\x00\x01\x00\x02"].concat();
        assert_eq!(whole(&binary(0x21, 0x21, &six)), between("192.0.2.1:1", "192.0.2.1:2"));
        assert_eq!(whole(&binary(0x20, 0x00, b"")), Header::Local);
        assert_eq!(whole(&binary(0x21, 0x00, b"whatever")), Header::Local);
    }

    #[test]
    fn what_is_no_header_is_refused_at_its_first_wrong_byte() {
        for bytes in [&b"USER alice\r\n"[..], b"\x16\x03\x01", b"PROXz", b"\r\n\r\n\0\r\nQUIX"] {
            assert!(matches!(parse(bytes), Err(HeaderError::Missing)), "{bytes:?}");
        }
        let longest = [WORD, [b'x'; LONGEST_LINE - WORD.len()].as_slice()].concat();
        for bytes in [
            &b"PROXY TCP4 192.0.2.1 203.0.113.7 12345\r\n"[..],
            b"PROXY TCP4 192.0.2.1 203.0.113.7 12345 21 \r\n",
            b"PROXY TCP4 192.0.2.1 203.0.113.7 12345 65536\r\n",
            b"PROXY TCP4 192.0.2.1 203.0.113.7 +1 21\r\n",
            b"PROXY TCP4 2001:db8::1 2001:db8::7 1 2\r\n",
            b"PROXY UDP4 192.0.2.1 203.0.113.7 1 2\r\n",
            b"PROXY \xff\r\n",
            longest.as_slice(),
            &binary(0x31, 0x11, FROM_4),
            &binary(0x22, 0x11, FROM_4),
            &binary(0x21, 0x12, FROM_4),
            &binary(0x21, 0x11, b"short"),
            &binary(0x21, 0x11, &[0; LONGEST])[..FIXED],
        ] {
            assert!(matches!(parse(bytes), Err(HeaderError::Malformed(_))), "{bytes:?}");
        }
    }

    #[test]
    fn a_header_may_come_in_pieces() {
        for header in [binary(0x21, 0x11, FROM_4), b"PROXY TCP4 192.0.2.1 203.0.113.7 12345 21\r\n".to_vec()]
        {
            for cut in 0..header.len() {
                assert!(parse(&header[..cut]).unwrap().is_none(), "{cut}");
            }
            assert!(
                parse(&[&header, &b"USER alice"[..]].concat())
                    .unwrap()
                    .is_some_and(|(_, n)| n == header.len())
            );
        }
    }

    /// A connection, from both its ends.
    async fn connection() -> (TcpStream, Accepted) {
        let mut listener = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (client, listener.accept().await.unwrap())
    }

    #[tokio::test]
    async fn nothing_behind_the_header_is_taken() {
        let (mut client, accepted) = connection().await;
        let here = accepted.bound;
        let sending = tokio::spawn(async move {
            for piece in [binary(0x21, 0x11, FROM_4), b"AUTH TLS\r\n".to_vec()].concat().chunks(7) {
                client.write_all(piece).await.unwrap();
                tokio::task::yield_now().await;
            }
        });
        let mut accepted = accepted.introduced().await.unwrap();
        sending.await.unwrap();
        assert_eq!(accepted.peer, "192.0.2.1:12345".parse().unwrap());
        assert_eq!(accepted.local, "203.0.113.7:21".parse().unwrap());
        assert_eq!((accepted.bound, accepted.is_check), (here, false));
        let mut rest = String::new();
        accepted.stream.read_to_string(&mut rest).await.unwrap();
        assert_eq!(rest, "AUTH TLS\r\n");
    }

    #[tokio::test]
    async fn who_speaks_for_itself_keeps_its_addresses() {
        let (mut client, accepted) = connection().await;
        client.write_all(b"PROXY UNKNOWN\r\n").await.unwrap();
        let peer = accepted.peer;
        let accepted = accepted.introduced().await.unwrap();
        assert_eq!((accepted.peer, accepted.local, accepted.is_check), (peer, accepted.bound, true));
        let (mut client, accepted) = connection().await;
        let (peer, bound) = (accepted.peer, accepted.bound);
        let own = format!("PROXY TCP4 {} {} {} {}\r\n", peer.ip(), bound.ip(), peer.port(), bound.port());
        client.write_all(own.as_bytes()).await.unwrap();
        assert!(accepted.introduced().await.unwrap().is_check);
    }

    #[tokio::test]
    async fn a_connection_that_ends_early_is_an_error() {
        let (client, accepted) = connection().await;
        drop(client);
        assert!(matches!(accepted.introduced().await, Err(HeaderError::Silent)));
        let (mut client, accepted) = connection().await;
        client.write_all(b"PROXY TCP4 ").await.unwrap();
        drop(client);
        assert!(matches!(accepted.introduced().await, Err(HeaderError::Ended)));
    }
}
