//! What is the hash of a file on the server, made by the server?

use std::fmt;
use std::time::Duration;

use carrack_ftp_proto::client::machine::Command;
use carrack_ftp_proto::client::{Features, HashAlgorithm, RemotePath, Reply};

use crate::client::Client;
use crate::connection::Connection;
use crate::error::{Error, ErrorKind, Operation};

/// How long a server may compute: at 200 MB/s, 180 GB.
const PATIENCE: Duration = Duration::from_secs(900);

/// The algorithms, the one that is worth most first: SHA-256 is as safe as SHA-512 and faster on most machines.
const WORTH: [HashAlgorithm; 5] = [
    HashAlgorithm::Sha256,
    HashAlgorithm::Sha512,
    HashAlgorithm::Sha1,
    HashAlgorithm::Md5,
    HashAlgorithm::Crc32,
];

/// A hash, and what it was computed with. Displayed in hexadecimal digits, small letters.
#[derive(Clone, PartialEq, Eq)]
pub struct Digest {
    algorithm: HashAlgorithm,
    bytes: Vec<u8>,
}

impl Digest {
    /// A hash of so many bytes as the algorithm has; `None` for any other number.
    #[must_use]
    pub fn new(algorithm: HashAlgorithm, bytes: &[u8]) -> Option<Digest> {
        (bytes.len() == algorithm.length()).then(|| Digest { algorithm, bytes: bytes.to_vec() })
    }

    /// What it was computed with.
    #[must_use]
    pub fn algorithm(&self) -> HashAlgorithm {
        self.algorithm
    }

    /// Its bytes, CRC-32 with the highest first.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Of as many bytes as the algorithm has.
    pub(crate) fn made(algorithm: HashAlgorithm, bytes: Vec<u8>) -> Digest {
        Digest { algorithm, bytes }
    }

    /// Reads hexadecimal digits, in any case. Of a CRC-32, which is a number, leading zeros may be missing.
    fn read(algorithm: HashAlgorithm, digits: &[u8]) -> Option<Digest> {
        let wanted = algorithm.length() * 2;
        let zeros = wanted.checked_sub(digits.len())?;
        if digits.is_empty() || (zeros > 0 && algorithm != HashAlgorithm::Crc32) {
            return None;
        }
        let digits = std::iter::repeat_n(&b'0', zeros).chain(digits);
        let values = digits.map(|&digit| char::from(digit).to_digit(16)).collect::<Option<Vec<u32>>>()?;
        let bytes = values.chunks(2).map(|pair| {
            let value = pair.iter().fold(0, |value, digit| value * 16 + digit);
            u8::try_from(value).ok()
        });
        Digest::new(algorithm, &bytes.collect::<Option<Vec<u8>>>()?)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({} {self})", self.algorithm.name())
    }
}

impl Client {
    /// The best hash that the server can make.
    #[must_use]
    pub fn best_hash(&self) -> Option<HashAlgorithm> {
        WORTH.into_iter().find(|&algorithm| is_offered(self.features(), algorithm))
    }

    /// The hash of a whole file, made by the server: with HASH (draft-bryan-ftpext-hash), or with XSHA256 and its kin.
    /// `None` where the server cannot make this one.
    ///
    /// # Errors
    /// [`ErrorKind::NotFoundOrDenied`] where there is no such file, and whatever else can happen on the way.
    pub async fn hash(
        &mut self,
        path: &RemotePath,
        algorithm: HashAlgorithm,
    ) -> Result<Option<Digest>, Error> {
        let Some(way) = way(self.features(), algorithm) else { return Ok(None) };
        let at_first = self.features().hash_selected;
        let mut connection = self.take_for(Operation::Hash, path).await?;
        let made = match way {
            Way::Hash => connection.hash(path, algorithm, at_first).await,
            Way::Named(verb) => connection.hash_by_name(path, algorithm, verb).await,
        };
        self.done(connection, made, Operation::Hash, path)
    }
}

/// Whether the server makes this hash.
pub(crate) fn is_offered(features: &Features, algorithm: HashAlgorithm) -> bool {
    way(features, algorithm).is_some()
}

/// How a hash is asked for.
enum Way {
    Hash,
    Named(&'static str),
}

fn way(features: &Features, algorithm: HashAlgorithm) -> Option<Way> {
    if features.hash.contains(&algorithm) {
        return Some(Way::Hash);
    }
    let (offered, verb) = match algorithm {
        HashAlgorithm::Crc32 => (features.xcrc, "XCRC"),
        HashAlgorithm::Md5 => (features.xmd5, "XMD5"),
        HashAlgorithm::Sha1 => (features.xsha1, "XSHA1"),
        HashAlgorithm::Sha256 => (features.xsha256, "XSHA256"),
        HashAlgorithm::Sha512 => (features.xsha512, "XSHA512"),
    };
    offered.then_some(Way::Named(verb))
}

impl Connection {
    async fn hash(
        &mut self,
        path: &RemotePath,
        algorithm: HashAlgorithm,
        at_first: Option<HashAlgorithm>,
    ) -> Result<Option<Digest>, ErrorKind> {
        if self.hash.or(at_first) != Some(algorithm) {
            let reply = self.ask(&Command::SelectHash(algorithm)).await?;
            if !reply.code().is_completion() {
                return Ok(None);
            }
            self.hash = Some(algorithm);
        }
        let reply = self.ask_for_hash(&Command::Hash(path.clone())).await?;
        Ok(in_reply_to_hash(&reply, algorithm))
    }

    async fn hash_by_name(
        &mut self,
        path: &RemotePath,
        algorithm: HashAlgorithm,
        verb: &'static str,
    ) -> Result<Option<Digest>, ErrorKind> {
        // The path stands in quotes, and how a quote is written within them nobody has said.
        if path.as_bytes().contains(&b'"') {
            return Ok(None);
        }
        let reply = self.ask_for_hash(&Command::HashByName(verb, path.clone())).await?;
        Ok(in_reply_to_name(&reply, algorithm))
    }

    async fn ask_for_hash(&mut self, command: &Command) -> Result<Reply, ErrorKind> {
        let reply = self.ask_patiently(command, PATIENCE).await?;
        if reply.code().is_completion() {
            return Ok(reply);
        }
        Err(ErrorKind::refused(command.name(), reply))
    }
}

/// `213 SHA-256 0-49 <digits> name`: the place counts, because a name may look like digits.
fn in_reply_to_hash(reply: &Reply, algorithm: HashAlgorithm) -> Option<Digest> {
    let mut words = words(reply);
    let named = HashAlgorithm::named(words.next()?)?;
    let _range = words.next()?;
    let digits = words.next()?;
    // SECURITY: a hash of another kind, or of another file, would prove nothing.
    Digest::read(algorithm, digits).filter(|_| named == algorithm)
}

/// `250 <digits>`, with or without the file's name beside them. All digits are looked for first: of a CRC-32 some may be
/// missing, and then many a word looks like one.
fn in_reply_to_name(reply: &Reply, algorithm: HashAlgorithm) -> Option<Digest> {
    let whole = |word: &&[u8]| word.len() == algorithm.length() * 2;
    let read = |word| Digest::read(algorithm, word);
    words(reply).filter(whole).find_map(read).or_else(|| words(reply).find_map(read))
}

fn words(reply: &Reply) -> impl Iterator<Item = &[u8]> {
    reply.last_line().split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}
