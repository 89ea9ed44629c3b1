//! What comes over sockets beside commands: a balancer's PROXY header, the ClientHello of a data connection, and uploads in MODE Z.

use carrack_ftp_server::fuzzing::mode_z as inflate;
use carrack_net::proxy::parse;
use carrack_tls::fuzzing::offers;

use crate::{Input, Target};

/// What is read from sockets.
pub const TARGETS: &[Target] = &[
    Target { name: "client_hello", run: client_hello },
    Target { name: "mode_z", run: mode_z },
    Target { name: "proxy_header", run: proxy_header },
];

/// The sessions that a ClientHello offers.
fn client_hello(records: &[u8]) {
    let (tickets, session_id) = offers(records);
    // Eight of TLS 1.3, and one of 1.2 for each extension, which takes four bytes.
    assert!(tickets <= 8 + records.len() / 4 && session_id <= 255);
}

/// An upload in MODE Z, whole and in pieces.
fn mode_z(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let piece = usize::from(input.byte()) + 1;
    let stream = input.rest();
    let read = |piece| {
        let mut length = 0_u64;
        let mut sum = 0_u64;
        let end = inflate(stream, piece, &mut |bytes| {
            assert!((1..=64 * 1024).contains(&bytes.len()), "a bounded piece");
            length += bytes.len() as u64;
            sum = bytes.iter().fold(sum, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(*byte)));
            Ok(())
        });
        // Of a damaged stream, pieces may tell more or less before the damage is seen.
        end.is_ok().then_some((length, sum))
    };
    assert_eq!(read(stream.len()), read(piece));
}

/// The header of a load balancer: whole, behind something else, and in pieces.
fn proxy_header(bytes: &[u8]) {
    let whole = parse(bytes);
    if let Ok(Some((header, length))) = &whole {
        assert!((1..=bytes.len().min(4096)).contains(length));
        // What follows changes nothing, and whatever comes before its end leaves it open.
        for end in 0..*length {
            assert!(matches!(parse(&bytes[..end]), Ok(None)), "{end}");
        }
        assert_eq!(parse(&bytes[..*length]).ok().flatten(), Some((*header, *length)));
    } else if matches!(whole, Ok(None)) {
        assert!(bytes.len() < 4096, "a header has an end");
    }
}
