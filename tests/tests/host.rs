//! Which names does the server answer to? HOST against the configuration, the address and the TLS handshake (RFC 7151)

use carrack_tests::control::Control;
use carrack_tests::programs::Tls;
use carrack_tests::server::Mode;
use carrack_tests::setup::Setup;
use carrack_tests::tls_client::TlsClient;

#[test]
fn only_the_configured_names_and_its_own_address_are_the_servers() {
    let server = Setup::new().listen("hosts = [\"FTP.example.com\", \"localhost\", \"192.0.2.1\"]").start();
    let mut control = Control::clear(&server);
    control.expect("HOST ftp.EXAMPLE.com", 220);
    control.expect("HOST other.example.com", 504);
    control.expect("HOST 127.0.0.1", 220);
    control.expect("HOST 192.0.2.1", 220);
    control.expect("HOST 192.0.2.2", 504);
    control.expect("HOST [::1]", 504);
    control.expect("HOST ftp.example.com:21", 501);
    // Not refused for having come before TLS, and forgotten with everything else from before it.
    control.expect("AUTH TLS", 234);
    control.secure();
    control.login("carrack");
    control.expect("HOST ftp.example.com", 503);
}

#[test]
fn behind_the_handshake_only_the_name_that_was_given_in_it_is_taken() {
    // The raw client's handshakes name `localhost`.
    for server in
        [Setup::new().start(), Setup::new().listen("hosts = [\"localhost\", \"ftp.example.com\"]").start()]
    {
        for mode in [Mode::Explicit, Mode::Implicit] {
            let mut control = Control::greeted(&server, mode, &TlsClient::new(Tls::V13));
            control.expect("HOST LocalHost", 220);
            control.expect("HOST ftp.example.com", 504);
            // No handshake can name an address (RFC 6066 §3), so it is another name (RFC 7151 §3.2.2).
            control.expect("HOST 127.0.0.1", 504);
            control.login("carrack");
            control.expect("PBSZ 0", 200);
            control.expect("PROT P", 200);
            control.upload("file", b"bytes");
        }
    }
}

#[test]
fn behind_a_handshake_that_names_nobody_names_and_the_servers_address_are_taken() {
    let server = Setup::new().start();
    for mode in [Mode::Explicit, Mode::Implicit] {
        let mut control = Control::greeted(&server, mode, &TlsClient::new(Tls::V13).naming("127.0.0.1"));
        control.expect("HOST 127.0.0.1", 220);
        control.expect("HOST 192.0.2.2", 504);
        control.expect("HOST ftp.example.com", 220);
    }
}

#[test]
fn without_configured_names_every_name_is_the_servers() {
    let server = Setup::new().start();
    let mut control = Control::clear(&server);
    control.expect("HOST whatever.example.com", 220);
    control.expect("HOST 192.0.2.2", 504);
}
