//! Transcripts, real clients, simulation and the rules of the architecture.
//!
//! The modules here are the testkit: [`setup`] and [`server`] start the built program `carrack`, [`control`] and
//! [`wire`] talk to it byte by byte, [`programs`] runs other people's clients against it, [`proxy`] cuts their
//! connections, [`desk`] has `openssl` beside `carrack cert`, and [`pages`] reads the manual. For the [`client`],
//! [`peers`] starts other people's servers with [`certificates`] of every kind, and [`hostile_server`] is one that
//! misbehaves. [`acme`] is a certificate authority, and [`acme_refusing`] one that says no. [`interop`] is the table of
//! other people's clients, [`filezilla`] the one among them that has a window. [`figures`] are what the long forms of tests
//! reach, and [`crash`] is a power cut. The tests themselves stand in `tests/`, one file per subject.

pub mod acme;
pub mod acme_refusing;
pub mod certificates;
pub mod chance;
pub mod client;
pub mod client_certificates;
pub mod control;
pub mod crash;
pub mod desk;
pub mod examples;
pub mod figures;
pub mod filezilla;
pub mod hostile_server;
pub mod hosts;
pub mod interop;
pub mod logs;
pub mod loopback;
pub mod pages;
pub mod partners;
pub mod peers;
pub mod programs;
pub mod proxy;
pub mod responder;
pub mod server;
pub mod setup;
pub mod stacks;
pub mod systemd;
pub mod tls_client;
pub mod transcript;
pub mod tree;
pub mod virtual_servers;
pub mod wait;
pub mod wire;
