//! What `write` seals: from 64 KiB on by our own record layer, for every version and cipher, across the new keys that a peer asks for.

use super::*;
use crate::testkit::suites;

/// Writes all of it, waiting where it must.
async fn write(near: &mut DataStream, bytes: &[u8]) {
    let mut taken = 0;
    while taken < bytes.len() {
        match near.write(&bytes[taken..]) {
            Ok(n) => taken += n,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                near.ready(Interest::Writable).await.unwrap();
            }
        }
    }
}

#[tokio::test]
async fn every_cipher_seals_what_the_peer_reads_across_new_keys() {
    let block = block();
    for (version, suite) in suites() {
        let mut client = Client::new(version);
        client.only(suite);
        let control = login(&server(), &client, "alice").await;
        let (accepted, far) = data(&control, &client, Direction::ToClient).await;
        let (mut near, mut far) = (accepted.unwrap().0, far.unwrap());
        let (first, second) = block.split_at(block.len() / 2);
        let (mut all, mut end) = (vec![0; first.len()], Vec::new());
        tokio::join!(write(&mut near, first), async { far.read_exact(&mut all).await.unwrap() });
        if version == &TLS13 {
            // The answer, and all behind it, come under another key.
            far.get_mut().1.refresh_traffic_keys().unwrap();
            far.flush().await.unwrap();
            near.ready(Interest::Readable).await.unwrap();
            assert_eq!(near.read(&mut [0; 9]).unwrap_err().kind(), ErrorKind::WouldBlock);
        }
        let sending = async {
            write(&mut near, second).await;
            while near.finish().is_err() {
                near.ready(Interest::Writable).await.unwrap();
            }
        };
        let ((), read) = tokio::join!(sending, far.read_to_end(&mut end));
        read.unwrap();
        all.extend(end);
        assert!(all == block, "{suite:?}");
    }
}

#[tokio::test]
async fn a_peer_that_breaks_the_protocol_ends_what_is_sent_to_it() {
    for version in crate::testkit::VERSIONS {
        let Connected { mut near, far, _control } = connected(version, Direction::ToClient).await;
        let mut far = far.into_inner().0;
        let receiving = async {
            // As much as there is room for: nobody opens it.
            let mut buf = vec![0; 1 << 16];
            far.read_exact(&mut buf).await.unwrap();
            far.write_all(&[
                23, 3, 3, 0, 20, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20,
            ])
            .await
            .unwrap();
        };
        let ((), ()) = tokio::join!(write(&mut near, &[7; 1 << 17]), receiving);
        let error = loop {
            match near.read(&mut [0; 9]) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    near.ready(Interest::Readable).await.unwrap();
                }
                other => break other.unwrap_err(),
            }
        };
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        assert!(near.write(&[7; 1 << 16]).is_err());
    }
}
