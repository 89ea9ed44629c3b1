//! What happens when keys have sealed as much as they may: new ones in TLS 1.3, an end that says why in TLS 1.2. The limit, 2^24
//! records in earnest, is lowered here.

use std::sync::Arc;

use rustls::{ContentType, crypto::CryptoProvider};

use super::*;
use crate::{
    ServerTls, Settings, Suite, TlsPolicy, Version,
    testkit::{HOME, forger::Forger, identity},
};

/// Records under one key; more than the handshake needs, less than two steps of data have.
const LIMIT: u64 = 7;
const KEY_UPDATE: [u8; 5] = [24, 0, 0, 1, 0];

/// A server with two suites, one for each version, whose keys wear out soon.
fn short_lived() -> Arc<ServerTls> {
    let suites = ["TLS_AES_256_GCM_SHA384", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"];
    let suites = suites.iter().map(|name| Suite::named(name).unwrap().worn_out_after(LIMIT)).collect();
    let mut settings = Settings::new(identity());
    settings.policy = TlsPolicy::new(Version::Tls12, Some(suites), None).unwrap();
    Arc::new(ServerTls::new(settings).unwrap())
}

async fn download(version: &'static rustls::SupportedProtocolVersion) -> Connected {
    let client = Client::new(version);
    let control = login(&short_lived(), &client, "alice").await;
    let (accepted, far) = data(&control, &client, Direction::ToClient).await;
    Connected { near: accepted.unwrap().0, far: far.unwrap(), _control: control }
}

/// Writes as much as is taken; the error with which it ended, if it did.
async fn written(near: &mut DataStream, bytes: &[u8]) -> (usize, Option<io::Error>) {
    let mut taken = 0;
    while taken < bytes.len() {
        match near.write(&bytes[taken..]) {
            Ok(n) => taken += n,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                near.ready(Interest::Writable).await.unwrap();
            }
            Err(error) => return (taken, Some(error)),
        }
    }
    (taken, None)
}

#[tokio::test]
async fn tls_13_takes_new_keys_in_the_middle_of_a_download() {
    let Connected { mut near, mut far, _control } = download(&TLS13).await;
    let block = block();
    let sending = async {
        let (taken, error) = written(&mut near, &block).await;
        assert!(taken == block.len() && error.is_none(), "{error:?}");
        while near.finish().is_err() {
            near.ready(Interest::Writable).await.unwrap();
        }
    };
    let mut all = Vec::new();
    let ((), read) = tokio::join!(sending, far.read_to_end(&mut all));
    // With close_notify under the last of the keys.
    read.unwrap();
    assert!(all == block);
    // What the client answered is read at the end, and understood.
    far.write_all(b"dropped").await.unwrap();
    far.shutdown().await.unwrap();
    loop {
        match near.drain() {
            Ok(drained) => break assert_eq!(drained, super::super::Drained::Ended),
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
        near.ready(Interest::Readable).await.unwrap();
    }
}

#[tokio::test]
async fn no_key_of_tls_13_seals_more_than_its_limit() {
    let mut client = Client::new(&TLS13);
    client.config.enable_secret_extraction = true;
    let tls = short_lived().control(HOME);
    let (near, far) = pair().await;
    let forging = Forger::new(client.connection().into(), far);
    let accepting = async {
        let mut near = tls.accept_data(near, Direction::ToClient).await.unwrap().0;
        near.flush().unwrap();
        near
    };
    let (mut near, mut forger) = tokio::join!(accepting, forging);
    let bytes = vec![7; 256 * 1024];
    assert!(written(&mut near, &bytes).await.1.is_none());
    // Tickets come before the data; all of it is under one key.
    let mut records = 0;
    loop {
        records += 1;
        match forger.next().await.unwrap() {
            (ContentType::Handshake, message) if message == KEY_UPDATE => break,
            _ => assert!(records < LIMIT),
        }
    }
}

#[tokio::test]
async fn tls_13_takes_new_keys_in_the_middle_of_an_upload() {
    for lends in [false, true] {
        let short = Suite::named("TLS_AES_256_GCM_SHA384").unwrap().worn_out_after(LIMIT);
        let policy = TlsPolicy::new(Version::Tls13, Some(vec![short]), None).unwrap();
        let client = Client::with(&TLS13, CryptoProvider::clone(&policy.provider()));
        let control = login(&server(), &client, "alice").await;
        let (accepted, far) = data(&control, &client, Direction::FromClient).await;
        let (mut near, mut far) = (accepted.unwrap().0, far.unwrap());
        let block = block();
        let sending = async {
            far.write_all(&block).await.unwrap();
            far.shutdown().await.unwrap();
        };
        let receiving = async {
            match lends {
                false => read_all(&mut near).await.unwrap(),
                true => lending::all_lent(&mut near).await,
            }
        };
        let ((), all) = tokio::join!(sending, receiving);
        assert!(all == block, "lends: {lends}");
    }
}

#[tokio::test]
async fn tls_12_ends_where_its_keys_do_and_never_with_close_notify() {
    let Connected { mut near, mut far, _control } = download(&TLS12).await;
    let bytes = vec![7; 1 << 20];
    let (taken, error) = written(&mut near, &bytes).await;
    let error = error.unwrap();
    assert!(WornOut::is_in(&error), "{error:?}");
    // The Finished was a record too, and a step is sealed whole or not at all.
    assert_eq!(taken, 64 * 1024);
    // However it is asked from here on.
    assert!(near.write(b"x").is_err());
    assert!(near.write_last(b"").is_err());
    assert!(near.finish().is_err());
    assert!(near.read(&mut [0; 9]).is_err());
    drop(near);
    let mut all = Vec::new();
    let end = far.read_to_end(&mut all).await.unwrap_err();
    assert_eq!((all.len(), end.kind()), (taken, ErrorKind::UnexpectedEof), "it is seen to be cut off");
}

#[tokio::test]
async fn tls_12_ends_as_well_where_the_last_bytes_are_too_many() {
    let Connected { mut near, mut far, _control } = download(&TLS12).await;
    assert_eq!(near.write(&[7; 64 * 1024]).unwrap(), 64 * 1024);
    assert!(WornOut::is_in(&near.write_last(&[7; 64 * 1024]).unwrap_err()));
    drop(near);
    let mut all = Vec::new();
    assert_eq!(far.read_to_end(&mut all).await.unwrap_err().kind(), ErrorKind::UnexpectedEof);
    assert_eq!(all.len(), 64 * 1024);
}
