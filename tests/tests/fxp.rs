//! Do two servers exchange a file directly, protected, and only with those who are partners?

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use carrack_tests::certificates::{Authority, Kind};
use carrack_tests::control::{Control, Reply};
use carrack_tests::loopback;
use carrack_tests::programs::Tls;
use carrack_tests::server::{Mode, Server};
use carrack_tests::setup::{Setup, USER};
use carrack_tests::tls_client::TlsClient;
use carrack_tests::tree;

const BYTES: usize = 700_001;

/// A server at an address of its own, with a certificate of `authority`.
fn server(authority: &Authority, address: IpAddr, setup: impl FnOnce(Setup) -> Setup) -> Server {
    let folder = Setup::new();
    let files = authority.issue(Kind::Good, &[&address.to_string()]).files(&folder.scratch());
    let setup = folder
        .at(address)
        .option("tls", "certificate", &format!("{:?}", files.certificate))
        .option("tls", "key", &format!("{:?}", files.key));
    setup_partners(setup, |setup| setup).pipe(setup_fn(setup_id)).finish(setup)
}
