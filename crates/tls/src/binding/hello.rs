//! Which sessions does a ClientHello offer to resume: read before any key is touched, where connections of many sessions
//! come to one port and each has to find its own.
//!
//! rustls has checked the message before; what cannot be read here offers nothing.

/// Offers of one ClientHello that are looked at; clients make one or two. Each may cost one opening of a ticket.
const OFFERS: usize = 8;

/// A record's type, version and length (RFC 8446 §5.1).
const RECORD_HEADER: usize = 5;
/// The handshake message that begins a connection (RFC 8446 §4).
const CLIENT_HELLO: u8 = 1;
/// The version and random in front of the session id (RFC 8446 §4.1.2).
const BEFORE_SESSION_ID: usize = 2 + 32;
/// `session_ticket` (RFC 5077 §3.2).
const SESSION_TICKET: u16 = 35;
/// `pre_shared_key` (RFC 8446 §4.2.11).
const PRE_SHARED_KEY: u16 = 41;
/// `ticket_request` (RFC 9149 §3).
const TICKET_REQUEST: u16 = 58;

/// What a client would like to resume, in its order of preference.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Offers {
    /// Tickets, of TLS 1.3 first.
    pub(crate) tickets: Vec<Vec<u8>>,
    /// The session id of TLS 1.2; 32 random bytes under TLS 1.3 (RFC 8446 §D.4).
    pub(crate) session_id: Vec<u8>,
    /// How many tickets it would like to be given where it resumes, if it says so.
    pub(crate) tickets_asked: Option<u8>,
}

impl Offers {
    /// The offers of the ClientHello that these records hold.
    pub(crate) fn of(records: &[u8]) -> Offers {
        let message = handshake_bytes(records);
        read(&message).unwrap_or_default()
    }
}

/// The handshake messages of several records in a row.
fn handshake_bytes(mut records: &[u8]) -> Vec<u8> {
    let mut message = Vec::new();
    while let Some((&[_, _, _, high, low], rest)) = records.split_first_chunk::<RECORD_HEADER>() {
        let length = usize::from(u16::from_be_bytes([high, low]));
        let Some((fragment, rest)) = rest.split_at_checked(length) else { break };
        message.extend_from_slice(fragment);
        records = rest;
    }
    message
}

fn read(message: &[u8]) -> Option<Offers> {
    let mut message = Fields(message);
    if message.byte()? != CLIENT_HELLO {
        return None;
    }
    let high = usize::from(message.byte()?);
    let length = high << 16 | usize::from(message.number()?);
    let mut hello = Fields(message.take(length)?);
    hello.take(BEFORE_SESSION_ID)?;
    let mut offers = Offers { session_id: hello.short()?.to_vec(), ..Offers::default() };
    let (_cipher_suites, _compression) = (hello.long()?, hello.short()?);
    let mut extensions = Fields(hello.long().unwrap_or_default());
    while let (Some(kind), Some(body)) = (extensions.number(), extensions.long()) {
        match kind {
            SESSION_TICKET => offers.tickets.push(body.to_vec()),
            PRE_SHARED_KEY => {
                // It is the last one (RFC 8446 §4.2.11), and goes before the ticket of TLS 1.2.
                let mut found = identities(body);
                found.append(&mut offers.tickets);
                offers.tickets = found;
            }
            TICKET_REQUEST => {
                let mut counts = Fields(body);
                let (_new_session, resumption) = (counts.byte(), counts.byte());
                offers.tickets_asked = resumption;
            }
            _ => {}
        }
    }
    Some(offers)
}

/// The tickets of an `OfferedPsks` (RFC 8446 §4.2.11), each with its obfuscated age behind it.
fn identities(body: &[u8]) -> Vec<Vec<u8>> {
    let mut list = Fields(Fields(body).long().unwrap_or_default());
    let mut found = Vec::new();
    while found.len() < OFFERS
        && let (Some(identity), Some(_age)) = (list.long(), list.take(4))
    {
        found.push(identity.to_vec());
    }
    found
}

/// Bytes that are read from the front; `None` where there are too few.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn number(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes([self.byte()?, self.byte()?]))
    }

    /// A vector with a length of one byte.
    fn short(&mut self) -> Option<&'a [u8]> {
        let length = self.byte()?;
        self.take(length.into())
    }

    /// A vector with a length of two bytes.
    fn long(&mut self) -> Option<&'a [u8]> {
        let length = self.number()?;
        self.take(length.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn long(bytes: &[u8]) -> Vec<u8> {
        [&u16::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
    }

    fn extension(kind: u16, body: &[u8]) -> Vec<u8> {
        [kind.to_be_bytes().to_vec(), long(body)].concat()
    }

    fn hello(extensions: &[u8]) -> Vec<u8> {
        let mut body = vec![3; BEFORE_SESSION_ID];
        body.extend([4, b's', b'e', b's', b's', 0, 2, 0x13, 1, 1, 0]);
        body.extend(long(extensions));
        let length = u32::try_from(body.len()).unwrap().to_be_bytes();
        [&[CLIENT_HELLO], &length[1..], &body].concat()
    }

    /// In records of `size` bytes.
    fn records(message: &[u8], size: usize) -> Vec<u8> {
        message.chunks(size).flat_map(|part| [vec![22, 3, 1], long(part)].concat()).collect()
    }

    fn sample() -> Vec<u8> {
        let one = [long(b"first"), vec![0; 4]].concat();
        let two = [long(b"second"), vec![0; 4]].concat();
        let offered = [long(&[one, two].concat()), long(&[0; 33])].concat();
        let asked = extension(TICKET_REQUEST, &[7, 3]);
        let (old, name) = (extension(SESSION_TICKET, b"old"), extension(0, b"name"));
        hello(&[old, asked, name, extension(PRE_SHARED_KEY, &offered)].concat())
    }

    #[test]
    fn tickets_and_session_id_are_found_however_the_message_is_cut_into_records() {
        for size in [1, 7, 1000] {
            let offers = Offers::of(&records(&sample(), size));
            assert_eq!(offers.session_id, b"sess");
            assert_eq!(offers.tickets_asked, Some(3));
            assert_eq!(offers.tickets, [b"first".to_vec(), b"second".to_vec(), b"old".to_vec()]);
        }
    }

    #[test]
    fn what_is_cut_or_something_else_offers_nothing_it_does_not_hold() {
        let whole = sample();
        for length in 0..whole.len() {
            assert_eq!(Offers::of(&records(&whole[..length], 1000)), Offers::default(), "{length}");
        }
        assert_eq!(Offers::of(b"GET / HTTP/1.1\r\n\r\n"), Offers::default());
    }

    #[test]
    fn so_many_offers_are_looked_at_and_no_more() {
        let many: Vec<u8> = (0..50).flat_map(|n| [long(&[n]), vec![0; 4]].concat()).collect();
        let hello = hello(&extension(PRE_SHARED_KEY, &long(&many)));
        assert_eq!(Offers::of(&records(&hello, 1000)).tickets.len(), OFFERS);
    }
}
