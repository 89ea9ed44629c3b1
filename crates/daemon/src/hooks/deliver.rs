//! When is an event delivered, and when is it tried again? One at a time for each hook, in their order.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::dead;
use super::outbox::Outbox;
use super::post::Post;
use super::recipient::Recipient;

/// Until the second attempt; each further pause is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(15 * 60);

/// The longest pause that a receiver can ask for.
const LONGEST_ASKED: Duration = Duration::from_secs(3600);

/// How one hook's events are delivered.
#[derive(Debug)]
pub(super) struct Delivery {
    pub(super) post: Arc<Post>,
    pub(super) recipient: Recipient,
    /// How long one attempt may take.
    pub(super) timeout: Duration,
    /// How long after an event attempts go on.
    pub(super) retry: Duration,
}

impl Delivery {
    /// Delivers for as long as it is polled.
    pub(super) async fn run(self) {
        let mut attempts = 0;
        loop {
            let oldest = self.outbox(Outbox::oldest).await;
            let event = match oldest {
                Some(Ok(Some(event))) => event,
                Some(Ok(None)) => {
                    self.post.arrived.notified().await;
                    continue;
                }
                Some(Err(error)) => {
                    self.outbox_failed(&error);
                    tokio::time::sleep(LONGEST_PAUSE).await;
                    continue;
                }
                None => return,
            };
            let delivered = self.recipient.deliver(&event, self.timeout).await;
            attempts += 1;
            let head = Head::of(&event);
            match delivered {
                Ok(()) => {
                    let Head { id, what, .. } = head;
                    tracing::debug!(target: "carrack", hook = self.post.name, id, what, attempts, "hook_delivered");
                    self.post.counts.delivered();
                }
                Err(failure) => {
                    self.post.counts.failed();
                    let pause = pause(attempts, random()).max(failure.pause.min(LONGEST_ASKED));
                    if !failure.gone && head.age(SystemTime::now()) + pause <= self.retry {
                        let again_in_s = pause.as_secs_f64();
                        let (Head { id, what, .. }, why) = (head, failure.why);
                        tracing::warn!(
                            target: "carrack", hook = self.post.name, id, what, %why, attempts, again_in_s, "hook_failed"
                        );
                        tokio::time::sleep(pause).await;
                        continue;
                    }
                    if !self.put_away(&event, head, &failure.why, attempts).await {
                        tokio::time::sleep(pause).await;
                        continue;
                    }
                }
            }
            attempts = 0;
            if let Some(Err(error)) = self.outbox(Outbox::done).await {
                self.outbox_failed(&error);
            }
        }
    }

    /// Puts an event away that nobody takes; false where not even that works.
    async fn put_away(&self, text: &[u8], head: Head, why: &str, attempts: u32) -> bool {
        let (folder, text) = (self.post.folder.clone(), text.to_vec());
        let put = tokio::task::spawn_blocking(move || dead::put_away(&folder, &text)).await;
        let Head { id, what, .. } = head;
        match put {
            Ok(Ok(())) => {
                let mend = "look at the receiver; the event stands in `undelivered` in the hook's folder";
                tracing::error!(
                    target: "carrack", hook = self.post.name, id, what, why, attempts, mend, "hook_undelivered"
                );
                self.post.counts.undelivered();
                true
            }
            Ok(Err(error)) => {
                self.outbox_failed(&error);
                false
            }
            Err(_) => false,
        }
    }

    async fn outbox<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Outbox) -> T + Send + 'static,
    ) -> Option<T> {
        let post = Arc::clone(&self.post);
        tokio::task::spawn_blocking(move || post.with_outbox(work)).await.ok()
    }

    fn outbox_failed(&self, error: &std::io::Error) {
        let folder = self.post.folder.display();
        tracing::error!(target: "carrack", hook = self.post.name, %folder, why = %error, "hook_outbox_failed");
    }
}

/// What an event says of itself.
struct Head {
    id: String,
    what: String,
    at: SystemTime,
}

impl Head {
    fn of(text: &[u8]) -> Head {
        let event: Value = serde_json::from_slice(text).unwrap_or_default();
        let word = |key: &str| event.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let at =
            word("timestamp").parse::<jiff::Timestamp>().map_or(SystemTime::UNIX_EPOCH, SystemTime::from);
        Head { id: word("id"), what: word("type"), at }
    }

    fn age(&self, now: SystemTime) -> Duration {
        now.duration_since(self.at).unwrap_or_default()
    }
}

/// How long the next attempt is waited for after so many. `random` is between 0 and 1: receivers that come back are not asked by all at
/// once.
fn pause(attempts: u32, random: f64) -> Duration {
    let doubled = FIRST_PAUSE.saturating_mul(1 << attempts.saturating_sub(1).min(20));
    doubled.min(LONGEST_PAUSE).mul_f64(0.5 + random.clamp(0.0, 1.0) / 2.0)
}

/// A number between 0 and 1.
fn random() -> f64 {
    let mut bytes = [0; 4];
    // Where the system has no randomness all receivers are asked at the same time, and no harm is done.
    let _ = aws_lc_rs::rand::fill(&mut bytes);
    f64::from(u32::from_ne_bytes(bytes)) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_to_a_bound_and_differ() {
        assert_eq!(pause(1, 1.0), Duration::from_secs(1));
        assert_eq!(pause(1, 0.0), Duration::from_millis(500));
        assert_eq!(pause(4, 1.0), Duration::from_secs(8));
        assert_eq!((pause(30, 1.0), pause(u32::MAX, 1.0)), (LONGEST_PAUSE, LONGEST_PAUSE));
    }

    #[test]
    fn the_age_of_an_event_is_in_its_text() {
        let head = Head::of(
            br#"{"id":"evt_1","type":"upload","timestamp":"1970-01-01T00:00:10.500000Z","data":{}}"#,
        );
        assert_eq!((head.id.as_str(), head.what.as_str()), ("evt_1", "upload"));
        assert_eq!(head.age(SystemTime::UNIX_EPOCH + Duration::from_secs(12)), Duration::from_millis(1500));
        assert_eq!(head.age(SystemTime::UNIX_EPOCH), Duration::ZERO);
    }
}
