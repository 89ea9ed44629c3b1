//! Which hash algorithms have a name in the protocol? (draft-bryan-ftpext-hash §3.1)

/// What a server may compute over a file, the weakest first. A server of ours begins with SHA-256.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HashAlgorithm {
    /// CRC-32 of IEEE 802.3: finds accidents, not attacks.
    Crc32,
    /// MD5: finds accidents, not attacks.
    Md5,
    /// SHA-1: finds accidents, not attacks.
    Sha1,
    /// SHA-256.
    #[default]
    Sha256,
    /// SHA-512.
    Sha512,
}

impl HashAlgorithm {
    /// All of them, the weakest first.
    pub const ALL: [HashAlgorithm; 5] = [
        HashAlgorithm::Crc32,
        HashAlgorithm::Md5,
        HashAlgorithm::Sha1,
        HashAlgorithm::Sha256,
        HashAlgorithm::Sha512,
    ];

    /// As FEAT, OPTS HASH and the answer to HASH have it: the IANA's textual name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            HashAlgorithm::Crc32 => "CRC32",
            HashAlgorithm::Md5 => "MD5",
            HashAlgorithm::Sha1 => "SHA-1",
            HashAlgorithm::Sha256 => "SHA-256",
            HashAlgorithm::Sha512 => "SHA-512",
        }
    }

    /// Every algorithm as FEAT lists it, the strongest first and `chosen` with its star (draft-bryan-ftpext-hash §3.1).
    #[must_use]
    pub fn starred(chosen: HashAlgorithm) -> String {
        let name = |algorithm: HashAlgorithm| {
            let star = if algorithm == chosen { "*" } else { "" };
            format!("{}{star};", algorithm.name())
        };
        HashAlgorithm::ALL.into_iter().rev().map(name).collect()
    }

    /// The algorithm of that name, in any case and with or without its hyphen.
    #[must_use]
    pub fn named(name: &[u8]) -> Option<HashAlgorithm> {
        let plain = |text: &[u8]| -> Vec<u8> {
            text.iter().filter(|byte| **byte != b'-').map(u8::to_ascii_uppercase).collect()
        };
        HashAlgorithm::ALL.into_iter().find(|algorithm| plain(algorithm.name().as_bytes()) == plain(name))
    }

    /// Bytes of a result.
    #[must_use]
    pub const fn length(self) -> usize {
        match self {
            HashAlgorithm::Crc32 => 4,
            HashAlgorithm::Md5 => 16,
            HashAlgorithm::Sha1 => 20,
            HashAlgorithm::Sha256 => 32,
            HashAlgorithm::Sha512 => 64,
        }
    }
}
