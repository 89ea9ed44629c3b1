//! Turns, budgets and floods, with checks that run until the test lets them go.

use std::sync::mpsc;

use super::*;

const SMALL: Cost = Cost::Argon2id { memory_kib: 8, passes: 1, lanes: 1 };
const BIG: Cost = Cost::Argon2id { memory_kib: 1024 * 1024, passes: 1, lanes: 1 };

fn source(last: u8) -> IpAddr {
    IpAddr::from([192, 0, 2, last])
}

fn hashing(threads: usize, queue: usize) -> Arc<Hashing> {
    Arc::new(Hashing::new(HashingLimits { threads, memory_kib: 64, queue }))
}

/// Begins a check that ends when the sender is dropped; what is begun is told.
async fn hold(
    hashing: &Arc<Hashing>,
    cost: Cost,
) -> (mpsc::Sender<()>, tokio::task::JoinHandle<Result<bool, NoTurn>>) {
    let (release, released) = mpsc::channel::<()>();
    let (begun, has_begun) = oneshot::channel();
    let own = Arc::clone(hashing);
    let check = move |_: &mut Memory| {
        let _ = begun.send(());
        released.recv().is_err()
    };
    let held = tokio::spawn(async move { own.run(source(1), cost, check).await });
    has_begun.await.unwrap();
    (release, held)
}

/// Lets a login wait; its name is written down when it is hashed.
fn wait(
    hashing: &Arc<Hashing>,
    last: u8,
    told: &mpsc::Sender<u8>,
) -> tokio::task::JoinHandle<Result<bool, NoTurn>> {
    let (own, told) = (Arc::clone(hashing), told.clone());
    tokio::spawn(async move { own.run(source(last), SMALL, move |_| told.send(last).is_ok()).await })
}

async fn until_waiting(hashing: &Hashing, count: usize) {
    while hashing.load().1 != count {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn sources_take_turns() {
    let hashing = hashing(1, 100);
    let (release, held) = hold(&hashing, SMALL).await;
    let (told, order) = mpsc::channel();
    let mut all = Vec::new();
    for (index, last) in [1, 1, 1, 1, 2, 3].into_iter().enumerate() {
        all.push(wait(&hashing, last, &told));
        until_waiting(&hashing, index + 1).await;
    }
    drop(release);
    assert_eq!(held.await.unwrap(), Ok(true));
    for one in all {
        assert_eq!(one.await.unwrap(), Ok(true));
    }
    drop(told);
    assert_eq!(order.iter().collect::<Vec<_>>(), [1, 2, 3, 1, 1, 1]);
}

#[tokio::test]
async fn whoever_fills_the_queue_turns_away_itself() {
    let hashing = hashing(1, 3);
    let (release, held) = hold(&hashing, SMALL).await;
    let (told, _order) = mpsc::channel();
    let mut flood = Vec::new();
    for count in 1..=3 {
        flood.push(wait(&hashing, 1, &told));
        until_waiting(&hashing, count).await;
    }
    // One more of the same source finds no room, one of another does, and the flood's last goes for it.
    assert_eq!(wait(&hashing, 1, &told).await.unwrap(), Err(NoTurn));
    let alice = wait(&hashing, 2, &told);
    assert_eq!(flood.pop().unwrap().await.unwrap(), Err(NoTurn));
    drop(release);
    assert_eq!(alice.await.unwrap(), Ok(true));
    held.await.unwrap().unwrap();
    for one in flood {
        assert_eq!(one.await.unwrap(), Ok(true));
    }
}

#[tokio::test]
async fn a_hash_beyond_the_budget_runs_alone() {
    let hashing = hashing(2, 100);
    let (release, held) = hold(&hashing, BIG).await;
    let (told, order) = mpsc::channel();
    let beside = wait(&hashing, 2, &told);
    until_waiting(&hashing, 1).await;
    assert_eq!(hashing.load(), (1, 1), "there is a thread for it, and no memory");
    drop(release);
    assert_eq!(held.await.unwrap(), Ok(true));
    assert_eq!(beside.await.unwrap(), Ok(true));
    assert_eq!(order.recv(), Ok(2));
    // Small ones run beside one another.
    let (one, first) = hold(&hashing, SMALL).await;
    let (two, second) = hold(&hashing, SMALL).await;
    assert_eq!(hashing.load(), (2, 0));
    drop((one, two));
    assert_eq!((first.await.unwrap(), second.await.unwrap()), (Ok(true), Ok(true)));
}

#[tokio::test]
async fn a_client_that_hangs_up_frees_nothing_that_runs_and_its_place_in_the_queue() {
    let hashing = hashing(1, 1);
    let (release, held) = hold(&hashing, SMALL).await;
    held.abort();
    let (told, order) = mpsc::channel();
    let gone = wait(&hashing, 1, &told);
    until_waiting(&hashing, 1).await;
    assert_eq!(hashing.load().0, 1, "it runs on");
    gone.abort();
    let _ = gone.await;
    let next = wait(&hashing, 1, &told);
    until_waiting(&hashing, 1).await;
    drop(release);
    assert_eq!(next.await.unwrap(), Ok(true));
    drop(told);
    drop(hashing);
    assert_eq!(order.iter().count(), 1, "what nobody waited for was hashed");
}

#[tokio::test]
async fn a_check_that_panics_refuses_and_the_thread_lives_on() {
    let hashing = hashing(1, 10);
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let outcome = hashing.run(source(1), SMALL, |_| panic!("of the test")).await;
    std::panic::set_hook(hook);
    assert_eq!(outcome, Ok(false));
    assert_eq!(hashing.run(source(1), SMALL, |_| true).await, Ok(true));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn only_the_hashing_threads_give_way() {
    let own = |(): ()| rustix::process::getpriority_process(None).unwrap();
    let before = own(());
    let (told, heard) = mpsc::channel();
    hashing(1, 1).run(source(1), SMALL, move |_| told.send(own(())).is_ok()).await.unwrap();
    assert_eq!(heard.recv().unwrap(), (before + NICE).min(19));
    assert_eq!(own(()), before);
}
