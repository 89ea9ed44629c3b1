//! What `read_to` lends: the same bytes and the same ends that `read` gives, for every version and cipher, and for peers that
//! try what the standard does not allow.

use std::sync::Arc;

use rustls::ContentType;

use super::*;
use crate::testkit::{VERSIONS, forger::Forger, suites};

/// What [`DataStream::read_to`] lends until it ends, the most slices at once, and how it ended.
async fn lent(stream: &mut DataStream) -> (Vec<u8>, usize, io::Result<Received>) {
    let (mut all, mut most) = (Vec::new(), 0);
    loop {
        let before = all.len();
        let outcome = stream.read_to(&mut |slices| {
            assert!(slices.iter().all(|slice| !slice.is_empty()));
            most = most.max(slices.len());
            slices.iter().for_each(|slice| all.extend_from_slice(slice));
            Ok(())
        });
        match outcome {
            Ok(Received::Bytes(n)) => assert!(n > 0 && n == all.len() - before),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                assert_eq!(all.len(), before);
                stream.ready(Interest::Readable).await.unwrap();
            }
            end => return (all, most, end),
        }
    }
}

/// All that is lent to a good end.
pub(super) async fn all_lent(stream: &mut DataStream) -> Vec<u8> {
    let (all, _, end) = lent(stream).await;
    assert_eq!(end.unwrap(), Received::End);
    all
}

/// Bytes, and how they ended; errors by their text.
async fn lent_as_text(stream: &mut DataStream) -> (Vec<u8>, Result<Received, String>) {
    let (all, _, end) = lent(stream).await;
    (all, end.map_err(|error| error.to_string()))
}

/// A server that receives from a peer that seals any record.
async fn forged(version: &'static rustls::SupportedProtocolVersion) -> (DataStream, Forger) {
    let mut client = Client::new(version);
    if version == &TLS12 {
        // AWS-LC's AES-GCM for TLS seals only from the first record on, and TLS 1.2 has had one with its Finished.
        client.only(rustls::CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256);
    }
    client.config.enable_secret_extraction = true;
    let tls = server().control(crate::testkit::HOME);
    let (near, far) = pair().await;
    let forging = Forger::new(client.connection().into(), far);
    let (accepted, forger) = tokio::join!(tls.accept_data(near, Direction::FromClient), forging);
    (accepted.unwrap().0, forger)
}

#[tokio::test]
async fn every_cipher_lends_what_was_sent_across_new_keys() {
    let block = block();
    for (version, suite) in suites() {
        let mut client = Client::new(version);
        client.only(suite);
        let control = login(&server(), &client, "alice").await;
        let (accepted, far) = data(&control, &client, Direction::FromClient).await;
        let (mut near, mut far) = (accepted.unwrap().0, far.unwrap());
        let source = block.clone();
        let sending = async {
            let (mut noise, mut at) = (Noise(11), 0);
            while at < source.len() {
                let size = noise.size(60_000).min(source.len() - at);
                far.write_all(&source[at..at + size]).await.unwrap();
                at += size;
                if version == &TLS13 && noise.next().is_multiple_of(8) {
                    // Asks for new keys in the other direction too.
                    far.get_mut().1.refresh_traffic_keys().unwrap();
                }
            }
            far.get_mut().1.send_close_notify();
            far.flush().await.unwrap();
            // Sealed with the newest of the keys that were asked for.
            far.read_to_end(&mut Vec::new()).await.unwrap();
        };
        let receiving = async {
            let (all, most, end) = lent(&mut near).await;
            assert!(all == block && most > 1, "{suite:?} {most}");
            assert_eq!(end.unwrap(), Received::End);
            assert_eq!(near.write(b"x").unwrap_err().kind(), ErrorKind::Unsupported);
            assert_eq!(near.write_last(b"").unwrap(), 0);
            near.finish().unwrap();
        };
        tokio::join!(sending, receiving);
        assert_eq!(near.drain().unwrap(), super::super::Drained::Ended);
    }
}

#[tokio::test]
async fn many_small_records_are_lent_in_turns() {
    for version in VERSIONS {
        let (mut near, mut far) = forged(version).await;
        let mut flight: Vec<u8> = (0..1000u32).flat_map(|n| far.data(&n.to_be_bytes())).collect();
        flight.extend(far.close_notify());
        // What comes behind the end is nobody's.
        flight.extend(far.data(b"late"));
        far.send(&flight).await;
        let (all, most, end) = lent(&mut near).await;
        assert_eq!(all, (0..1000u32).flat_map(u32::to_be_bytes).collect::<Vec<u8>>());
        assert!((2..=64).contains(&most), "{most}");
        assert_eq!(end.unwrap(), Received::End);
    }
}

#[tokio::test]
async fn reading_may_go_before_lending_and_after_it() {
    for version in VERSIONS {
        for reads_first in [true, false] {
            let (mut near, mut far) = forged(version).await;
            let sealed = far.data(b"0123456789");
            far.send(&sealed).await;
            let mut buf = [0; 4];
            let mut read = Vec::new();
            if reads_first {
                near.ready(Interest::Readable).await.unwrap();
                assert_eq!(near.read(&mut buf).unwrap(), Received::Bytes(4));
                read.extend_from_slice(&buf);
            } else {
                near.ready(Interest::Readable).await.unwrap();
                let lent = near.read_to(&mut |slices| {
                    slices.iter().for_each(|slice| read.extend_from_slice(slice));
                    Ok(())
                });
                assert_eq!(lent.unwrap(), Received::Bytes(10));
                let more = far.data(b"0123456789");
                far.send(&more).await;
                near.ready(Interest::Readable).await.unwrap();
                assert_eq!(near.read(&mut buf).unwrap(), Received::Bytes(4));
                read.extend_from_slice(&buf);
            }
            let end = far.close_notify();
            far.send(&end).await;
            let (rest, end) = lent_as_text(&mut near).await;
            read.extend(rest);
            let times = if reads_first { 1 } else { 2 };
            assert_eq!((read, end), (b"0123456789".repeat(times), Ok(Received::End)));
        }
    }
}

#[tokio::test]
async fn a_sink_that_fails_ends_the_transfer_with_its_error() {
    let (mut near, mut far) = forged(&TLS13).await;
    let sealed = far.data(b"for a full disk");
    far.send(&sealed).await;
    near.ready(Interest::Readable).await.unwrap();
    let error = near.read_to(&mut |_| Err(ErrorKind::StorageFull.into())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StorageFull);
    // The end can still be said and heard.
    near.finish().unwrap();
    assert_eq!(far.next().await, Some((ContentType::Alert, vec![1, 0])));
    let end = far.close_notify();
    far.send(&end).await;
    near.ready(Interest::Readable).await.unwrap();
    assert_eq!(near.drain().unwrap(), super::super::Drained::Ended);
}

#[tokio::test]
async fn records_without_data_are_allowed_as_far_as_they_make_sense() {
    for version in VERSIONS {
        let (mut near, mut far) = forged(version).await;
        let user_canceled = [1, 90];
        let mut flight = far.seal(ContentType::Alert, &user_canceled);
        for _ in 0..31 {
            flight.extend(far.data(b""));
        }
        flight.extend(far.data(b"data"));
        flight.extend(far.data(b""));
        if version == &TLS13 {
            // Padding: the content type stands in front of zeros (RFC 8446 §5.4).
            flight.extend(far.seal(ContentType::Unknown(0), b" and padding\x17\0\0"));
        } else {
            flight.extend(far.data(b" and padding"));
            let no_renegotiation = [1, 100];
            flight.extend(far.seal(ContentType::Alert, &no_renegotiation));
        }
        flight.extend(far.close_notify());
        far.send(&flight).await;
        assert_eq!(lent_as_text(&mut near).await, (b"data and padding".to_vec(), Ok(Received::End)));
    }
}

#[tokio::test]
async fn what_tls_does_not_allow_fails_after_what_came_before_it() {
    const UNEXPECTED_MESSAGE: u8 = 10;
    const BAD_RECORD_MAC: u8 = 20;
    const RECORD_OVERFLOW: u8 = 22;
    const DECODE_ERROR: u8 = 50;
    type Forge = fn(&mut Forger) -> Vec<u8>;
    let both: [(&str, Forge, Option<u8>); 10] = [
        (
            "not sealed",
            |_| b"\x17\x03\x03\x00\x20this is not sealed by this key!!".to_vec(),
            Some(BAD_RECORD_MAC),
        ),
        ("too short to be sealed", |_| b"\x17\x03\x03\x00\x01x".to_vec(), Some(BAD_RECORD_MAC)),
        ("longer than any record", |_| b"\x17\x03\x03\x48\x01".to_vec(), Some(RECORD_OVERFLOW)),
        ("no TLS", |_| b"\x17HTTP".to_vec(), Some(DECODE_ERROR)),
        ("more data than a record holds", |far| far.data(&[0; 16 * 1024 + 1]), Some(RECORD_OVERFLOW)),
        (
            "nothing again and again",
            |far| (0..33).flat_map(|_| far.data(b"")).collect(),
            Some(UNEXPECTED_MESSAGE),
        ),
        ("a fatal alert", |far| far.seal(ContentType::Alert, &[2, 80]), None),
        ("half an alert", |far| far.seal(ContentType::Alert, &[1]), Some(DECODE_ERROR)),
        ("a handshake", |far| far.seal(ContentType::Handshake, &[1, 0, 0, 0]), Some(UNEXPECTED_MESSAGE)),
        ("a heartbeat", |far| far.seal(ContentType::Heartbeat, &[1]), Some(UNEXPECTED_MESSAGE)),
    ];
    let tls13: [(&str, Forge, Option<u8>); 6] = [
        (
            "sealed in clothes of 1.2",
            |far| {
                let mut r = far.data(b"x");
                r[0] = 22;
                r
            },
            Some(UNEXPECTED_MESSAGE),
        ),
        ("change_cipher_spec", |_| b"\x14\x03\x03\x00\x01\x01".to_vec(), Some(UNEXPECTED_MESSAGE)),
        ("only padding", |far| far.seal(ContentType::Unknown(0), &[0; 9]), Some(UNEXPECTED_MESSAGE)),
        ("a warning", |far| far.seal(ContentType::Alert, &[1, 100]), None),
        (
            "a new key and more",
            |far| far.seal(ContentType::Handshake, &[24, 0, 0, 1, 0, 24]),
            Some(UNEXPECTED_MESSAGE),
        ),
        (
            "data amid a message",
            |far| [far.seal(ContentType::Handshake, &[24, 0]), far.data(b"x")].concat(),
            Some(UNEXPECTED_MESSAGE),
        ),
    ];
    for version in VERSIONS {
        let more = if version == &TLS13 { &tls13[..] } else { &[] };
        for (name, forge, alert) in both.iter().chain(more) {
            let (mut near, mut far) = forged(version).await;
            let mut flight = far.data(b"before");
            flight.extend(forge(&mut far));
            far.send(&flight).await;
            // Where nothing is found wrong, it is cut.
            rustix::net::shutdown(&far.socket, rustix::net::Shutdown::Write).unwrap();
            let (all, end) = lent_as_text(&mut near).await;
            assert_eq!(all, b"before", "{name}");
            let error = end.expect_err(name);
            assert_eq!(near.read_to(&mut |_| unreachable!()).unwrap_err().to_string(), error);
            assert_eq!(near.read(&mut [0; 9]).unwrap_err().kind(), ErrorKind::InvalidData);
            let said = alert.map(|alert| (ContentType::Alert, vec![2, alert]));
            if said.is_some() {
                assert_eq!(far.next().await, said, "{name}: {error}");
            }
            drop(near);
            assert_eq!(far.next().await, None, "{name}");
        }
    }
}

#[tokio::test]
async fn a_message_may_come_in_parts_and_a_ticket_of_any_length() {
    let identity = crate::testkit::identity();
    let settings = crate::ClientSettings {
        trust: crate::Trust::Pinned(identity.fingerprint()),
        versions: crate::Versions::Any,
        identity: None,
    };
    let tls = crate::ClientTls::new("localhost", settings).unwrap().control();
    let mut config =
        rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_protocol_versions(&[&TLS13])
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(Arc::clone(
                identity.certified_key(),
            ))));
    config.enable_secret_extraction = true;
    config.send_tls13_tickets = 0;
    let (near, far) = pair().await;
    let session = rustls::ServerConnection::new(Arc::new(config)).unwrap();
    let (connected, mut far) = tokio::join!(tls.connect_data(near), Forger::new(session.into(), far));
    let mut near = connected.unwrap();
    let ticket = |length: u16| {
        let body =
            [&[0, 0, 14, 16, 1, 2, 3, 4, 1, 9][..], &length.to_be_bytes(), &vec![7; length.into()], &[0, 0]]
                .concat();
        [&[4][..], &u32::try_from(body.len()).unwrap().to_be_bytes()[1..], &body].concat()
    };
    let two = [ticket(100), ticket(u16::MAX)].concat();
    let mut flight = far.data(b"data");
    for part in two.chunks(16_000) {
        flight.extend(far.seal(ContentType::Handshake, part));
    }
    flight.extend(far.data(b" behind"));
    flight.extend(far.close_notify());
    far.send(&flight).await;
    assert_eq!(lent_as_text(&mut near).await, (b"data behind".to_vec(), Ok(Received::End)));
    assert_eq!((tls.tickets_received(), tls.supply()), (2, crate::Supply::Tickets(2)));
}

#[tokio::test]
async fn a_clear_connection_lends_what_arrives() {
    let (near, mut far) = pair().await;
    let mut near = DataStream::clear(near).unwrap();
    let block = block();
    let source = block.clone();
    let sending = async move {
        far.write_all(&source).await.unwrap();
        far.shutdown().await.unwrap();
    };
    let ((), (all, most, end)) = tokio::join!(sending, lent(&mut near));
    assert!(all == block);
    assert_eq!((most, end.unwrap()), (1, Received::End));

    let (near, far) = pair().await;
    let mut near = DataStream::clear(near).unwrap();
    reset(far);
    assert_eq!(lent_as_text(&mut near).await, (Vec::new(), Ok(Received::Lost)));
}
