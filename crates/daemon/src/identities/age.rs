//! When is an administrator told that a certificate ends, or that its staple is out of date?

use std::time::{Duration, SystemTime};

use carrack_tls::{Identity, Sha256Fingerprint};

/// Days before its end at which a certificate's end is told, once each.
const DAYS: [u64; 4] = [30, 14, 7, 1];

const DAY: Duration = Duration::from_secs(24 * 3600);

/// What was told of one identity so far.
#[derive(Debug, Default)]
pub(super) struct Age {
    /// The certificate that ends first, and how many of the moments had come when it was last told.
    told: Option<(Sha256Fingerprint, usize)>,
    stale: bool,
}

/// What is to be told now.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum News {
    /// It ends in so many whole days.
    Ends(u64),
    /// It has ended.
    Ended,
    /// Its OCSP answer is out of date, and not shown.
    StapleStale,
}

impl Age {
    /// What is new at `now`.
    pub(super) fn news(&mut self, identity: &Identity, now: SystemTime) -> Vec<News> {
        let mut news = Vec::new();
        let first = identity.first_to_end();
        let left = SystemTime::from(first.not_after).duration_since(now).ok();
        let moments = match left {
            None => DAYS.len() + 1,
            Some(left) => {
                DAYS.iter().filter(|days| left <= DAY * u32::try_from(**days).unwrap_or(u32::MAX)).count()
            }
        };
        let told = self.told.filter(|(whose, _)| *whose == first.fingerprint).map_or(0, |(_, told)| told);
        if moments > told {
            news.push(left.map_or(News::Ended, |left| News::Ends(left.as_secs() / DAY.as_secs())));
        }
        // A clock that is set back tells nothing twice.
        self.told = Some((first.fingerprint, moments.max(told)));
        let stale = identity.staple().is_some_and(|staple| !staple.is_in_date(now));
        if stale && !self.stale {
            news.push(News::StapleStale);
        }
        self.stale = stale;
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made() -> Identity {
        let made = Identity::self_signed(&["a.example".to_owned()]).unwrap();
        Identity::from_pem(made.certificate_pem.as_bytes(), made.key_pem.as_bytes()).unwrap()
    }

    #[test]
    fn each_moment_is_told_once_and_a_renewed_certificate_begins_anew() {
        let identity = made();
        let mut age = Age::default();
        let mut at = |days: u64, identity: &Identity| {
            age.news(identity, identity.not_after() - DAY * u32::try_from(days).unwrap())
        };
        assert_eq!(at(31, &identity), []);
        assert_eq!(at(30, &identity), [News::Ends(30)]);
        assert_eq!(at(29, &identity), []);
        assert_eq!(at(15, &identity), []);
        assert_eq!(at(14, &identity), [News::Ends(14)]);
        // Days that nobody looked at are not told later.
        assert_eq!(at(1, &identity), [News::Ends(1)]);
        assert_eq!(at(31, &identity), []);
        assert_eq!(at(7, &identity), []);
        let renewed = made();
        assert_eq!(at(31, &renewed), []);
        assert_eq!(at(7, &renewed), [News::Ends(7)]);
        let over = renewed.not_after() + Duration::from_secs(1);
        assert_eq!(age.news(&renewed, over), [News::Ended]);
        assert_eq!(age.news(&renewed, over + DAY), []);
    }
}
